import { InvalidArgumentError } from 'commander';
import type { ByteRange } from '../../model/log-metadata.ts';

/** For commander: "0-1023", both ends included, or "1024-" to the end. */
export function parseByteRange(text: string): ByteRange {
  const [, first, last] = /^(\d{1,15})-(\d{0,15})$/.exec(text.trim()) ?? [];
  const start = Number(first);
  const end = last === '' ? Number.MAX_SAFE_INTEGER : Number(last);
  if (!(start <= end)) throw new InvalidArgumentError('accepted: a range of bytes such as "0-1023", both ends included, or "1024-" to the end');
  return { start, end };
}
