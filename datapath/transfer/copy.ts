/**
 * The transfer engine: moves a list of entries from one endpoint to another, verified, within bounded memory, and resumes from what the target
 * really holds. An entry that cannot be moved is reported once and does not hold up the others; what concerns the store as a whole
 * (throttled, away, full) ends the call with that error, for the caller to wait and call again.
 */
import { setImmediate } from 'node:timers/promises';
import { byBytes } from '../../drivers/pages.ts';
import { isType, PenstockError } from '../../model/errors.ts';
import type { FailedEntry, ManifestEntry, Progress } from '../../model/manifest.ts';
import { createBlockPool } from './block-pool.ts';
import { findCollisions } from './collisions.ts';
import { type CopyContext, copyEntry } from './copy-entry.ts';
import { type CreateOptions, type Endpoint, SPAN_BYTES } from './endpoint.ts';
import { toFailedEntry } from './failed-entry.ts';
import { inLanes } from './lanes.ts';
import { OtherContent } from './other-content.ts';
import { createPatience } from './patience.ts';
import { findPresent } from './present.ts';
import { createProgressMeter } from './progress.ts';
import type { RateLimiter } from './rate-limiter.ts';

export interface CopyOptions {
  readonly source: Endpoint;
  readonly target: Endpoint;
  readonly entries: readonly ManifestEntry[];
  /** Names this attempt's temporary files. */
  readonly attempt: string;
  /** Attempts before this one: what they left unpublished is ended first. */
  readonly superseded?: readonly string[];
  /** Entries on their way at once; of a large one, up to four parts each. */
  readonly concurrency: number;
  /** Buffers in all, at least one span of 16 MiB; default {@link DEFAULT_MEMORY_BYTES}. */
  readonly memoryBytes?: number;
  readonly limiter?: RateLimiter;
  readonly signal?: AbortSignal;
  /** At most every {@link PROGRESS_INTERVAL_MS}, and at the end. */
  readonly onProgress?: (progress: Progress) => void;
  /** Each entry that lies at the target under its final name, as soon as it is known. */
  readonly onPublished?: (entry: ManifestEntry) => void;
  /** Different content under an entry's name is replaced; otherwise it is that entry's Conflict. */
  readonly replace?: boolean;
  /** Modes and extended attributes go along; default false. */
  readonly attributes?: boolean;
  readonly retention?: CreateOptions['retention'];
}

export interface CopyResult {
  /** As they lie at the target now, in the order of the input; durable. */
  readonly done: readonly ManifestEntry[];
  readonly failed: readonly FailedEntry[];
}

export const PROGRESS_INTERVAL_MS = 250;
/** Enough on its way for 10 Gbit/s with 25 ms of delay. */
export const DEFAULT_MEMORY_BYTES = 4 * SPAN_BYTES;

/** @throws the first error that concerns a whole store, once the entries in flight are settled; the signal's reason */
export async function copyEntries(options: CopyOptions): Promise<CopyResult> {
  const { entries, source, target, signal } = options;
  const scope = target.createScope?.() ?? source.createScope?.();
  const report = createReporter(options);
  const done = new Map<number, ManifestEntry>();
  const failed: FailedEntry[] = [];
  const failures: unknown[] = [];
  const explained = explainer(entries);
  const fail = (entry: ManifestEntry, error: unknown): void => {
    try {
      failed.push(toFailedEntry(entry, explained(entry, error)));
    } catch (ofTheStore) {
      failures.push(ofTheStore);
    }
    report.file();
  };
  try {
    const engine = engineOf(options);
    const { superseded = [] } = options;
    if (superseded.length > 0) await target.collect?.(superseded, entries, signal);
    const context: CopyContext = {
      ...engine,
      source,
      target,
      create: createOptions(options, scope),
      present: await engine.patience.run(() => findPresent(target, entries, signal), signal),
      attributes: options.attributes ?? false,
      onBytes: report.bytes,
    };
    // Published apart from the lanes that move: many are made durable together.
    const publishing = new Set<Promise<void>>();
    await inLanes(entries.entries(), Math.min(options.concurrency, entries.length), async ([index, entry]) => {
      if (failures.length > 0 || signal?.aborted) return;
      const moved = await copyEntry(context, entry).catch((error: unknown) => fail(entry, error));
      if (!moved) return;
      const settled: Promise<void> = moved.published
        .then((arrived) => {
          done.set(index, arrived);
          options.onPublished?.(arrived);
          report.file();
        })
        .catch((error: unknown) => fail(entry, error))
        .finally(() => publishing.delete(settled));
      publishing.add(settled);
    });
    signal?.throwIfAborted();
    await scope?.flush();
    await Promise.all(publishing);
    // What was found to lie there already, also by the publishing.
    await scope?.flush();
    if (failures.length > 0) throw failures[0];
  } finally {
    await scope?.close();
    // What the close published is told of too.
    await setImmediate();
  }
  report.end();
  return { done: entries.flatMap((_, index) => done.get(index) ?? []), failed: failed.toSorted(byPath) };
}

/** What a move needs of this process: memory, patience, and the limits it is under. */
export function engineOf({ concurrency, memoryBytes, limiter, signal }: Pick<CopyOptions, 'concurrency' | 'memoryBytes' | 'limiter' | 'signal'>) {
  return {
    pool: createBlockPool(memoryBytes ?? DEFAULT_MEMORY_BYTES),
    patience: createPatience({ maxWindow: Math.max(concurrency, MIN_WINDOW) }),
    ...(limiter ? { limiter } : {}),
    ...(signal ? { signal } : {}),
  };
}
/** Parts of one large entry. */
const MIN_WINDOW = 8;

/** Where one name would have to be a file and a directory, the store knows the one that it refuses; the list knows the other. */
function explainer(entries: readonly ManifestEntry[]): (entry: ManifestEntry, error: unknown) => unknown {
  let collisions: ReturnType<typeof findCollisions> | undefined;
  return ({ path }, error) => {
    // Where other content has the very name, nothing else is in its way.
    if (!isType(error, 'Conflict') || error instanceof OtherContent) return error;
    collisions ??= findCollisions(entries.map((entry) => entry.path));
    const other = collisions(path);
    if (other === undefined) return error;
    const [file, below] = path.length < other.length ? [path, other] : [other, path];
    return new PenstockError(
      'Conflict',
      `${JSON.stringify(file)} and ${JSON.stringify(below)} cannot both be: the one would have to be a file and a directory. ${error.message}`,
    );
  };
}

const byPath = (one: FailedEntry, other: FailedEntry): number => byBytes(one.path, other.path);

function createOptions({ attempt, replace, retention, signal }: CopyOptions, scope: CreateOptions['scope']): CreateOptions {
  return {
    attempt,
    ...(replace === undefined ? {} : { replace }),
    ...(retention ? { retention } : {}),
    ...(scope ? { scope } : {}),
    ...(signal ? { signal } : {}),
  };
}

function createReporter({ entries, onProgress }: CopyOptions) {
  const meter = createProgressMeter({ files: entries.length, bytes: entries.reduce((sum, entry) => sum + entry.bytes, 0) });
  let reportedAt = -Infinity;
  const report = (force: boolean): void => {
    const now = performance.now();
    if (!onProgress || (!force && now - reportedAt < PROGRESS_INTERVAL_MS)) return;
    reportedAt = now;
    onProgress(meter.snapshot());
  };
  return {
    bytes(bytes: number) {
      meter.addBytes(bytes);
      report(false);
    },
    file() {
      meter.addFile();
      report(false);
    },
    end: () => report(true),
  };
}
