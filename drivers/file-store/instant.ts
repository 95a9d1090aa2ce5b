/** A file system's nanoseconds as ISO instants, and back. */

/** What an ISO instant of four-digit years can hold; a file system's can lie outside, by a wrong clock or by intent. */
const EARLIEST_MS = Date.parse('0000-01-01T00:00:00.000Z');
const LATEST_MS = Date.parse('9999-12-31T23:59:59.999Z');
const NS_PER_MS = 1_000_000n;

/** With three digits of a second, or nine where it needs them. */
export function instantOf(nanoseconds: bigint): string {
  const below = ((nanoseconds % NS_PER_MS) + NS_PER_MS) % NS_PER_MS;
  const ms = Number((nanoseconds - below) / NS_PER_MS);
  if (ms < EARLIEST_MS || ms > LATEST_MS) return new Date(Math.min(Math.max(ms, EARLIEST_MS), LATEST_MS)).toISOString();
  const text = new Date(ms).toISOString();
  return below === 0n ? text : `${text.slice(0, -1)}${String(below).padStart(6, '0')}Z`;
}

/** Undefined where it is no instant; digits behind the ninth are left out. */
export function nanosecondsOf(instant: string): bigint | undefined {
  const ms = Date.parse(instant);
  if (Number.isNaN(ms)) return undefined;
  const digits = /\.\d{3}(\d{1,6})/.exec(instant)?.[1] ?? '';
  return BigInt(ms) * NS_PER_MS + BigInt(digits.padEnd(6, '0'));
}
