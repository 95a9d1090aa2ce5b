/** Hours of the day in which something may happen, by the clocks of one time zone: open whenever a clock on the wall there shows a time between `from` and `to`. */
import * as z from 'zod';

const CLOCK_EXPECTED = 'a time of day from "00:00" to "23:59"';
const ZONE_EXPECTED = 'the IANA name of a time zone such as "Europe/Berlin" or "UTC", as `timedatectl list-timezones` lists them';
const ClockTimeSchema = z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$/, CLOCK_EXPECTED);

export const HoursOfDaySchema = z
  .strictObject({
    from: ClockTimeSchema.describe('When they begin, such as "22:00"'),
    to: ClockTimeSchema.describe('When they end, such as "06:00"; before `from`, on the next day'),
    timeZone: z.string().refine(isTimeZone, ZONE_EXPECTED).default('UTC').describe('Whose clocks count, by its IANA name; daylight saving is followed'),
  })
  .refine(({ from, to }) => from !== to, { path: ['to'], message: 'another time than `from`; leave the hours out where all of the day is meant' });
export type HoursOfDay = z.output<typeof HoursOfDaySchema>;

/** Instants are milliseconds since 1970. */
export interface OpenOrClosed {
  readonly isOpen: boolean;
  /** The next instant at which that changes; Infinity where it never does. */
  readonly changesAt: number;
}

const MINUTE = 60_000;
const DAY = 86_400_000;

/**
 * Where clocks are put forward over `from`, it opens at that moment; hours that are passed over altogether do not open on that day. Where clocks are put back, hours that
 * come twice are open twice.
 * @param hours absent: always open
 */
export function hoursAt(hours: HoursOfDay | undefined, instant: number): OpenOrClosed {
  if (!hours) return { isOpen: true, changesAt: Number.POSITIVE_INFINITY };
  const offsetAt = offsetOf(hours.timeZone);
  const [from, to] = [sinceMidnight(hours.from), sinceMidnight(hours.to)];
  const isOpenAt = (at: number): boolean => {
    const time = timeOfDay(at, offsetAt(at));
    return from < to ? from <= time && time < to : from <= time || time < to;
  };
  const isOpen = isOpenAt(instant);
  let at = instant;
  for (;;) {
    const boundary = at + untilNext(isOpenAt(at) ? to : from, timeOfDay(at, offsetAt(at)));
    const shift = firstShift(offsetAt, at, boundary);
    if (shift === undefined) return { isOpen, changesAt: boundary };
    // Clocks jump before the boundary is reached: what they show then decides.
    if (isOpenAt(shift) !== isOpen) return { isOpen, changesAt: shift };
    at = shift;
  }
}

/** Milliseconds that clocks are ahead of UTC there, by instant. */
type OffsetAt = (instant: number) => number;

function offsetOf(timeZone: string): OffsetAt {
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone,
    calendar: 'gregory',
    numberingSystem: 'latn',
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  });
  return (instant) => {
    const parts = new Map(format.formatToParts(instant).map(({ type, value }) => [type, Number(value)]));
    const [year = 0, month = 1, day = 1, hour, minute, second] = (['year', 'month', 'day', 'hour', 'minute', 'second'] as const).map((part) => parts.get(part));
    return Date.UTC(year, month - 1, day, hour, minute, second) - Math.floor(instant / 1000) * 1000;
  };
}

/**
 * The first instant after `after`, up to `until`, at which clocks show what they would not have shown; they change on whole minutes.
 * The two are at most a day apart, and no zone changes its clocks twice in a day.
 */
function firstShift(offsetAt: OffsetAt, after: number, until: number): number | undefined {
  const offset = offsetAt(after);
  if (offsetAt(until) === offset) return undefined;
  let [same, shifted] = [Math.floor(after / MINUTE), Math.ceil(until / MINUTE)];
  while (shifted - same > 1) {
    const middle = Math.floor((same + shifted) / 2);
    if (offsetAt(middle * MINUTE) === offset) same = middle;
    else shifted = middle;
  }
  return shifted * MINUTE;
}

const timeOfDay = (instant: number, offset: number): number => (((instant + offset) % DAY) + DAY) % DAY;

/** More than 0, at most a day. */
const untilNext = (clockTime: number, now: number): number => (clockTime > now ? clockTime - now : clockTime - now + DAY);

function sinceMidnight(clockTime: string): number {
  const [hours = 0, minutes = 0] = clockTime.split(':').map(Number);
  return (hours * 60 + minutes) * MINUTE;
}

/** Offsets such as "+01:00" know no daylight saving and are not taken. */
function isTimeZone(name: string): boolean {
  if (!/^[A-Za-z]/.test(name)) return false;
  try {
    Intl.DateTimeFormat('en-US', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}
