/** Copies a range from one file to another inside the kernel, which shares the blocks where the file system can. */
import { PenstockError } from '../../model/errors.ts';
import { copyRange } from './libc.ts';
import { errnoOf, quoted } from './posix-errors.ts';
import type { PosixOpenFile } from './posix-open.ts';

/** Between two looks at the signal: below a second even at 20 MB/s. */
const PIECE_BYTES = 16 * 2 ** 20;

/** These two cannot: other file systems, no such call, a file system that has none, a swap file. */
const CANNOT = new Set(['EXDEV', 'ENOSYS', 'EOPNOTSUPP', 'ENOTSUP', 'EINVAL', 'EPERM', 'ETXTBSY']);

/**
 * The same positions in both; the source's holes are left out. @param wroteTo told each end of what was written @returns false where these two cannot, perhaps after
 * some of it
 */
export async function copyBetween(
  source: PosixOpenFile,
  target: number,
  position: number,
  bytes: number,
  wroteTo: (end: number) => void,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const end = position + bytes;
  for (let at = position; at < end; ) {
    signal?.throwIfAborted();
    const data = await source.nextData(at);
    if (!data || data.start >= end) return true;
    at = data.start;
    const wanted = Math.min(PIECE_BYTES, data.end - at, end - at);
    const from = at;
    try {
      const copied = await source.descriptor.use((fd) => copyRange(fd, from, target, from, wanted));
      if (copied === 0) throw new PenstockError('SourceChanged', `${quoted(source.facts.path)} shrank while it was copied.`);
      at += copied;
      wroteTo(at);
    } catch (error) {
      if (CANNOT.has(errnoOf(error) ?? '')) return false;
      throw error;
    }
  }
  return true;
}
