/** Proves later, from the manifest alone, that a target still holds what was moved there. */

import { PenstockError } from '../../model/errors.ts';
import type { ManifestEntry } from '../../model/manifest.ts';
import { crc32cOfStream } from './crc32c.ts';
import type { Endpoint } from './endpoint.ts';
import type { RateLimiter } from './rate-limiter.ts';

const DEFAULT_CONCURRENCY = 8;
const DEFAULT_LISTED = 20;

export interface CheckOptions {
  readonly entries: AsyncIterable<ManifestEntry> | Iterable<ManifestEntry>;
  readonly target: Endpoint;
  /**
   * `where-needed` believes the checksum a store has on record and reads only what has none; `always` reads every byte, the only way to find what
   * rotted since it was written. Default `where-needed`.
   */
  readonly read?: 'where-needed' | 'always';
  /** Entries at once; default 8. */
  readonly concurrency?: number;
  /** How many examples are listed of a kind; all are counted. Default 20. */
  readonly listed?: number;
  readonly limiter?: RateLimiter;
  readonly signal?: AbortSignal;
  /** Called after each entry, for a heartbeat. */
  readonly onEntry?: (counts: CheckCounts) => void;
}

export type CheckKind = 'same' | 'sameSize' | 'missing' | 'differing';
/** `sameSize`: the manifest has no checksum to compare. */
export type CheckCounts = Readonly<Record<CheckKind, number>>;
export type CheckResult = Readonly<Record<CheckKind, Finding>>;
export interface Finding {
  readonly count: number;
  /** The first ones met, each a path with what is wrong about it; none for what is right. */
  readonly examples: readonly string[];
}

interface Verdict {
  readonly kind: CheckKind;
  readonly example?: string;
}

/** Memory is bounded by the concurrency and the number listed. @throws errors that concern the whole store, and the signal's reason */
export async function checkManifest(options: CheckOptions): Promise<CheckResult> {
  const counts = { same: 0, sameSize: 0, missing: 0, differing: 0 };
  const examples: Record<CheckKind, string[]> = { same: [], sameSize: [], missing: [], differing: [] };
  const queue = toIterator(options.entries);
  const work = async (): Promise<void> => {
    for (let item = await queue.next(); !item.done; item = await queue.next()) {
      options.signal?.throwIfAborted();
      const { kind, example } = await compare(options, item.value);
      counts[kind] += 1;
      if (example !== undefined && examples[kind].length < (options.listed ?? DEFAULT_LISTED)) examples[kind].push(example);
      options.onEntry?.({ ...counts });
    }
  };
  try {
    await Promise.all(Array.from({ length: Math.max(1, options.concurrency ?? DEFAULT_CONCURRENCY) }, work));
  } finally {
    await queue.return?.();
  }
  const finding = (kind: CheckKind): Finding => ({ count: counts[kind], examples: examples[kind].toSorted() });
  return { same: finding('same'), sameSize: finding('sameSize'), missing: finding('missing'), differing: finding('differing') };
}

async function compare(options: CheckOptions, entry: ManifestEntry): Promise<Verdict> {
  const differing = (detail: string): Verdict => ({ kind: 'differing', example: `${JSON.stringify(entry.path)}: ${detail}` });
  try {
    const held = await options.target.stat(entry.path);
    if (!held) return missing(entry);
    if (held.bytes !== entry.bytes) return differing(`${held.bytes} bytes instead of ${entry.bytes}`);
    const mustRead = options.read === 'always' || (entry.crc32c !== undefined && held.crc32c === undefined);
    const found = mustRead ? await readCrc32c(options, held) : held.crc32c;
    if (entry.crc32c === undefined) return { kind: 'sameSize' };
    return found === entry.crc32c ? { kind: 'same' } : differing(`CRC32C ${found} instead of ${entry.crc32c}`);
  } catch (error) {
    if (!(error instanceof PenstockError)) throw error;
    switch (error.type) {
      case 'NotFound':
        return missing(entry);
      // What cannot be read as the store promised is not what was stored there.
      case 'ChecksumMismatch':
      case 'CorruptSource':
      case 'SourceChanged':
      case 'IoError':
      case 'Denied':
      case 'InvalidInput':
        return differing(error.message);
      default:
        throw error;
    }
  }
}

const missing = (entry: ManifestEntry): Verdict => ({ kind: 'missing', example: JSON.stringify(entry.path) });

async function readCrc32c({ target, limiter, signal }: CheckOptions, held: ManifestEntry): Promise<string> {
  const content = await target.open(held, signal ? { signal } : {});
  return (await crc32cOfStream(content, limiter ? (bytes) => limiter.take(bytes, signal) : undefined)).crc32c;
}

/** An async generator answers overlapping calls of next() in order, so several workers may draw from one. */
async function* toIterator<T>(items: AsyncIterable<T> | Iterable<T>): AsyncGenerator<T, void> {
  yield* items;
}
