import { CliError } from '../failure.ts';

const secondsPerUnit: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };

export const DURATION_EXPECTED = 'a duration such as "30s", "15m", "2h" or "1d"';

/** Milliseconds of "90s", "15m", "2h", "1d" or a bare number of seconds. @throws CliError usage */
export function parseDuration(text: string): number {
  const match = /^(\d+(?:\.\d+)?)([smhd]?)$/.exec(text.trim());
  const seconds = match ? Number(match[1]) * (secondsPerUnit[match[2] || 's'] ?? Number.NaN) : Number.NaN;
  // setTimeout counts in 31 bits; 24 days are enough for a person to wait.
  if (!(seconds >= 0 && seconds <= 24 * 86_400)) throw new CliError('usage', `found ${JSON.stringify(text)}; accepted: ${DURATION_EXPECTED}, at most 24d`);
  return seconds * 1000;
}
