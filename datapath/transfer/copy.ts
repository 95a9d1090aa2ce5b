/**
 * The transfer engine: moves a list of entries from one endpoint to another, verified, within bounded memory, and resumes from what the target
 * really holds. An entry that cannot be moved is reported once and does not hold up the others; what concerns the store as a whole
 * (throttled, away, full) ends the call with that error, for the caller to wait and call again.
 */
import type { FailedEntry, ManifestEntry, Progress } from '../../model/manifest.ts';
import { type CopyContext, copyEntry } from './copy-entry.ts';
import type { Endpoint, PublishOptions } from './endpoint.ts';
import { toFailedEntry } from './failed-entry.ts';
import { findPresent } from './present.ts';
import { createProgressMeter } from './progress.ts';
import type { RateLimiter } from './rate-limiter.ts';

export interface CopyOptions {
  readonly source: Endpoint;
  readonly target: Endpoint;
  readonly entries: readonly ManifestEntry[];
  /** Names this attempt's temporary files. */
  readonly attempt: string;
  /** Entries in flight. Memory: each holds up to three parts of an object (24 MiB), or a few chunks of a file. */
  readonly concurrency: number;
  readonly limiter?: RateLimiter;
  readonly signal?: AbortSignal;
  /** At most every {@link PROGRESS_INTERVAL_MS}, and at the end. */
  readonly onProgress?: (progress: Progress) => void;
  /** Different content under an entry's name is replaced; otherwise it is that entry's Conflict. */
  readonly replace?: boolean;
  readonly retention?: PublishOptions['retention'];
}

export interface CopyResult {
  /** As they lie at the target now, in the order of the input; durable. */
  readonly done: readonly ManifestEntry[];
  readonly failed: readonly FailedEntry[];
}

export const PROGRESS_INTERVAL_MS = 250;

/** @throws the first error that concerns a whole store, once the entries in flight are settled; the signal's reason */
export async function copyEntries(options: CopyOptions): Promise<CopyResult> {
  const { entries, target, signal } = options;
  const scope = target.createScope?.();
  const report = createReporter(options);
  const context: CopyContext = {
    ...options,
    publish: publishOptions(options, scope),
    present: await findPresent(target, entries, signal),
    onBytes: report.bytes,
  };
  const done = new Map<number, ManifestEntry>();
  const failed: FailedEntry[] = [];
  await forEach(entries, options.concurrency, signal, async (entry, index) => {
    try {
      done.set(index, await copyEntry(context, entry));
    } catch (error) {
      failed.push(toFailedEntry(entry, error));
    }
    report.file();
  });
  await scope?.flush();
  report.end();
  return { done: entries.flatMap((_, index) => done.get(index) ?? []), failed };
}

/** Runs in order, so many at a time; the first that throws keeps the rest from starting. */
async function forEach(
  entries: readonly ManifestEntry[],
  concurrency: number,
  signal: AbortSignal | undefined,
  work: (entry: ManifestEntry, index: number) => Promise<void>,
): Promise<void> {
  const queue = entries.entries();
  const failures: unknown[] = [];
  const run = async (): Promise<void> => {
    // The iterator is shared: each worker takes the next entry.
    for (const [index, entry] of queue) {
      if (failures.length > 0 || signal?.aborted) return;
      await work(entry, index).catch((error: unknown) => failures.push(error));
    }
  };
  await Promise.all(Array.from({ length: Math.max(1, Math.min(concurrency, entries.length)) }, run));
  signal?.throwIfAborted();
  if (failures.length > 0) throw failures[0];
}

function publishOptions({ attempt, replace, retention, signal }: CopyOptions, scope: PublishOptions['scope']): PublishOptions {
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
