/** Proves later, from the manifest alone, that a target still holds what was moved there. */

import { byBytes } from '../../drivers/pages.ts';
import { addCounts, type CheckCounts, type CheckKind, checkKinds, noCounts } from '../../model/check.ts';
import { PenstockError } from '../../model/errors.ts';
import type { ManifestEntry } from '../../model/manifest.ts';
import type { Endpoint } from './endpoint.ts';
import { isDirectory } from './file-endpoint.ts';
import { listAll, type PathRange } from './list-all.ts';
import type { RateLimiter } from './rate-limiter.ts';
import { readCrc32c } from './read-crc32c.ts';

const DEFAULT_CONCURRENCY = 8;
const DEFAULT_LISTED = 20;

export interface CheckOptions {
  /** In path order where `extra` is asked for. */
  readonly entries: AsyncIterable<ManifestEntry> | Iterable<ManifestEntry>;
  readonly target: Endpoint;
  /**
   * `where-needed` believes the checksum a store has on record and reads only what has none; `always` reads every byte, the only way to find what
   * rotted since it was written. Default `where-needed`.
   */
  readonly read?: 'where-needed' | 'always';
  /** Also finds what the target holds in this range and the entries do not name; the entries must be all of the manifest's in it. */
  readonly extra?: PathRange;
  /** Entries at once; default 8. */
  readonly concurrency?: number;
  /** How many examples are listed of a kind; all are counted. Default 20. */
  readonly listed?: number;
  readonly limiter?: RateLimiter;
  readonly signal?: AbortSignal;
  /** Called after each entry, for a heartbeat. */
  readonly onEntry?: (counts: CheckCounts) => void;
  /** Called for each that is not right, in no particular order. */
  readonly onFinding?: (finding: PathFinding) => void;
}

export type CheckResult = Readonly<Record<CheckKind, Finding>>;
export interface Finding {
  readonly count: number;
  /** The first ones met, each a path with what is wrong about it; none for what is right. */
  readonly examples: readonly string[];
}
export interface PathFinding {
  readonly path: string;
  readonly kind: Exclude<CheckKind, 'same' | 'sameSize'>;
  /** What is wrong, where the kind does not say it all. */
  readonly detail?: string;
}

type Verdict = { readonly kind: 'same' | 'sameSize' } | PathFinding;
type Item = { readonly entry: ManifestEntry } | { readonly extra: string };

/** Memory is bounded by the concurrency and the number listed. @throws errors that concern the whole store, and the signal's reason */
export async function checkManifest(options: CheckOptions): Promise<CheckResult> {
  let counts = noCounts;
  const examples = new Map<CheckKind, string[]>();
  const queue = options.extra ? withExtras(options, options.extra) : toItems(options.entries);
  const work = async (): Promise<void> => {
    for (let item = await queue.next(); !item.done; item = await queue.next()) {
      options.signal?.throwIfAborted();
      const verdict: Verdict = 'extra' in item.value ? { kind: 'extra', path: item.value.extra } : await compare(options, item.value.entry);
      counts = addCounts(counts, { ...noCounts, [verdict.kind]: 1 });
      if ('path' in verdict) {
        const listed = examples.get(verdict.kind) ?? [];
        if (listed.length < (options.listed ?? DEFAULT_LISTED)) examples.set(verdict.kind, [...listed, exampleOf(verdict)]);
        options.onFinding?.(verdict);
      }
      options.onEntry?.(counts);
    }
  };
  try {
    await Promise.all(Array.from({ length: Math.max(1, options.concurrency ?? DEFAULT_CONCURRENCY) }, work));
  } finally {
    await queue.return?.();
  }
  const finding = (kind: CheckKind): Finding => ({ count: counts[kind], examples: (examples.get(kind) ?? []).toSorted() });
  const [same, sameSize, missing, extra, differing, unreadable] = [...checkKinds].map(finding);
  if (!same || !sameSize || !missing || !extra || !differing || !unreadable) throw new TypeError('a kind of finding is not told');
  return { same, sameSize, missing, extra, differing, unreadable };
}

const exampleOf = ({ path, detail }: PathFinding): string => (detail === undefined ? JSON.stringify(path) : `${JSON.stringify(path)}: ${detail}`);

async function compare(options: CheckOptions, entry: ManifestEntry): Promise<Verdict> {
  const { path } = entry;
  const differing = (detail: string): Verdict => ({ kind: 'differing', path, detail });
  try {
    const held = await options.target.stat(path);
    if (!held) return { kind: 'missing', path };
    if (held.linkTarget !== entry.linkTarget) return differing(`${linkText(held)} instead of ${linkText(entry)}`);
    if (held.bytes !== entry.bytes) return differing(`${held.bytes} bytes instead of ${entry.bytes}`);
    // Without content of their own: a link's target, which was compared, is all of it, and that a directory is there.
    if (entry.linkTarget !== undefined || isDirectory(path)) return { kind: 'same' };
    const mustRead = options.read === 'always' || (entry.crc32c !== undefined && held.crc32c === undefined);
    const found = mustRead ? await readCrc32c(await options.target.open(held), options) : held.crc32c;
    if (entry.crc32c === undefined) return byForeign(entry, held) ?? { kind: 'sameSize' };
    return found === entry.crc32c ? { kind: 'same' } : differing(`CRC32C ${found} instead of ${entry.crc32c}`);
  } catch (error) {
    if (!(error instanceof PenstockError)) throw error;
    switch (error.type) {
      case 'NotFound':
        return { kind: 'missing', path };
      // What came is not what was stored there.
      case 'ChecksumMismatch':
      case 'CorruptSource':
      case 'SourceChanged':
        return differing(error.message);
      // Nothing came, so nothing is known.
      case 'IoError':
      case 'Denied':
      case 'InvalidInput':
      // Archived: a restore is for somebody to ask for, not to be waited for here.
      case 'RestorePending':
        return { kind: 'unreadable', path, detail: error.message };
      default:
        throw error;
    }
  }
}

/** Undefined where the two tell nothing that could be compared. Where the content was read, it was held to the target's record. */
function byForeign({ path, foreign: wanted }: ManifestEntry, { foreign: found }: ManifestEntry): Verdict | undefined {
  if (!wanted || wanted.algorithm !== found?.algorithm) return undefined;
  if (wanted.value === found.value) return { kind: 'same' };
  return { kind: 'differing', path, detail: `${found.algorithm} ${found.value} instead of ${wanted.value}` };
}

const linkText = ({ linkTarget }: ManifestEntry): string => (linkTarget === undefined ? 'a file' : `a link to ${JSON.stringify(linkTarget)}`);

/** An async generator answers overlapping calls of next() in order, so several workers may draw from one. */
async function* toItems(entries: AsyncIterable<ManifestEntry> | Iterable<ManifestEntry>): AsyncGenerator<Item, void> {
  for await (const entry of entries) yield { entry };
}

/** The entries, and between them, in the same order, what the target's listing has beside them. */
async function* withExtras({ entries, target, signal }: CheckOptions, range: PathRange): AsyncGenerator<Item, void> {
  const listing = listAll(target, signal, range);
  try {
    let listed = await listing.next();
    for await (const entry of entries) {
      for (; !listed.done && byBytes(listed.value.path, entry.path) < 0; listed = await listing.next()) {
        // Empty there, for what is to lie in it is missing.
        const isOnTheWay = isDirectory(listed.value.path) && entry.path.startsWith(listed.value.path);
        if (!isOnTheWay) yield { extra: listed.value.path };
      }
      if (!listed.done && listed.value.path === entry.path) listed = await listing.next();
      yield { entry };
    }
    for (; !listed.done; listed = await listing.next()) yield { extra: listed.value.path };
  } finally {
    await listing.return();
  }
}
