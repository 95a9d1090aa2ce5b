import { InvalidArgumentError } from 'commander';

const DAY_MS = 86_400_000;
const UNITS: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: DAY_MS };

/** For commander: an ISO instant, a day, or so long ago such as "30d". @returns an ISO instant */
export function parseInstant(text: string): string {
  const [, count, unit = ''] = /^(\d{1,6})([mhd])$/.exec(text.trim()) ?? [];
  if (count !== undefined) return new Date(Date.now() - Number(count) * (UNITS[unit] ?? DAY_MS)).toISOString();
  const atMs = /^\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:\d{2}))?$/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(atMs))
    throw new InvalidArgumentError('accepted: an instant such as "2026-11-22T08:00:00Z", a day such as "2026-11-22", or so long ago such as "12h" or "30d"');
  return new Date(atMs).toISOString();
}
