/** A second site's erasure set: 18 racks in five rooms, each a directory below the site directory. */
export const secondSet = (name: string, more: object = {}) => ({
  driver: 'posix',
  root: `replica-${name}`,
  jurisdiction: 'ch',
  racks: Array.from({ length: 18 }, (_, index) => ({
    id: `b${String(index + 1).padStart(2, '0')}`,
    room: `room-${(index % 5) + 1}`,
    bucket: `rack-${index + 1}`,
  })),
  ...more,
});
