import { InvalidArgumentError } from 'commander';

const secondsPerUnit: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };

/** setTimeout counts milliseconds in 31 bits: 24 days. */
const LONGEST_SECONDS = 24 * 86_400;

/** Milliseconds of "90s", "15m", "2h", "1d" or a bare number of seconds. @throws InvalidArgumentError, which commander reports */
export function parseDuration(text: string): number {
  const match = /^(\d+(?:\.\d+)?)([smhd]?)$/.exec(text.trim());
  const seconds = match ? Number(match[1]) * (secondsPerUnit[match[2] || 's'] ?? Number.NaN) : Number.NaN;
  if (!(seconds <= LONGEST_SECONDS)) throw new InvalidArgumentError('accepted: a duration such as "30s", "15m", "2h" or "1d", at most 24d');
  return seconds * 1000;
}
