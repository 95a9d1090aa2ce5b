/** The time a log line begins with, where it does. */
import { setImmediate as turn } from 'node:timers/promises';

/** `2026-03-04T05:06:07.891Z`, `[2026-03-04 05:06:07,891+01:00] ...`; fractions to nanoseconds. */
const TIME_AT_START = /^\[?(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:[.,](\d{1,9}))?(Z|[+-]\d\d:?\d\d)?/;
const LONGEST_TIME_BYTES = 40;

const NEWLINE = 0x0a;
/** Lines looked at before other work gets its turn; some 2 ms. */
const LINES_PER_TURN = 4_096;

/** @returns milliseconds since 1970; a time without a zone counts as UTC; undefined where the line begins otherwise */
export function timeOfLine(line: string): number | undefined {
  const match = TIME_AT_START.exec(line);
  if (!match) return undefined;
  const [, date, time, fraction = '', zone = 'Z'] = match;
  const offset = zone === 'Z' || zone.includes(':') ? zone : `${zone.slice(0, 3)}:${zone.slice(3)}`;
  const milliseconds = Date.parse(`${date}T${time}.${fraction.slice(0, 3).padEnd(3, '0')}${offset}`);
  return Number.isNaN(milliseconds) ? undefined : milliseconds;
}

/** Time of the line that begins at the offset. */
export function timeAt(bytes: Buffer, offset: number): number | undefined {
  const first = bytes[offset];
  // Most lines that have no time are told apart here: a time begins with a digit, perhaps in a bracket.
  if (first === undefined || !((first >= 0x30 && first <= 0x39) || first === 0x5b)) return undefined;
  return timeOfLine(bytes.toString('latin1', offset, offset + LONGEST_TIME_BYTES));
}

export interface TimeSpan {
  readonly firstTimestamp?: string;
  readonly lastTimestamp?: string;
}

/** Earliest and latest time of a chunk's lines; lines of several processes come out of order. */
export async function timeSpanOf(bytes: Buffer, beginsInsideLine: boolean): Promise<TimeSpan> {
  let first = Infinity;
  let last = -Infinity;
  let lines = 0;
  for (let offset = beginsInsideLine ? nextLine(bytes, 0) : 0; offset < bytes.length; offset = nextLine(bytes, offset)) {
    const time = timeAt(bytes, offset);
    if (time !== undefined) {
      first = Math.min(first, time);
      last = Math.max(last, time);
    }
    lines += 1;
    if (lines % LINES_PER_TURN === 0) await turn();
  }
  return first === Infinity ? {} : { firstTimestamp: new Date(first).toISOString(), lastTimestamp: new Date(last).toISOString() };
}

/** Where the next line begins; the end of the bytes where none does. */
export function nextLine(bytes: Buffer, offset: number): number {
  const newline = bytes.indexOf(NEWLINE, offset);
  return newline === -1 ? bytes.length : newline + 1;
}
