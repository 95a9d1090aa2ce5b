/** Moving what a manifest names, in segments of some minutes, and proving what arrived. */
import pLimit from 'p-limit';
import { checkManifest } from '../datapath/transfer/check.ts';
import { copyEntries } from '../datapath/transfer/copy.ts';
import type { Endpoint } from '../datapath/transfer/endpoint.ts';
import { readManifestPage } from '../datapath/transfer/manifest-store.ts';
import { createRateLimiter, type RateLimiter } from '../datapath/transfer/rate-limiter.ts';
import type { Stores } from '../drivers/open-site.ts';
import { PenstockError } from '../model/errors.ts';
import type { AllocationKey } from '../model/identifiers.ts';
import { formatLocation, type Location } from '../model/location.ts';
import type { FailedEntry, ManifestEntry, ManifestRef, Progress } from '../model/manifest.ts';
import { OUTPUT_RECORD } from '../model/output-record.ts';
import type { TransferAnswer, TransferRequest, VerifyAnswer } from '../model/transfer.ts';
import { effect, type Run } from './effect.ts';
import { rememberStaged } from './eviction.ts';
import { failedKey, findMovedPage, listIntoManifest, readMoved, writeMovedPage } from './manifests.ts';
import { endpointAt } from './places.ts';
import { stagingReporter } from './reports.ts';
import { attestLocks } from './retention.ts';

const SEGMENT_MS = 5 * 60_000; // a lost worker costs at most so much; a day is then 288 segments, 1,800 events
const FAILED_SHOWN = 20;
const FILES_AT_ONCE = 16;

export interface ListRequest extends AllocationKey {
  readonly source: Location;
  readonly exclude: readonly string[];
  readonly name: string;
}
export interface VerifyRequest {
  readonly manifest: ManifestRef;
  readonly target: Location;
  readonly retention?: TransferRequest['retention'];
}

export type TransferActivities = ReturnType<typeof createTransferActivities>;

export function createTransferActivities(stores: Stores) {
  const { hot } = stores.site.stores;
  // One bucket for all staging of this process: the share holds for the sum, however many allocations stage at once.
  const staging = createRateLimiter(Math.floor(hot.bandwidth.write * stores.site.policies.stagingShare));

  return {
    listPrefix: ({ source, exclude, name, ...key }: ListRequest): Promise<ManifestRef> =>
      effect((run) => listIntoManifest(stores, key, name, endpointAt(stores, source), run, exclude)),

    transferSegment: (request: TransferRequest): Promise<TransferAnswer> =>
      effect((run) => transferSegment(stores, request, run, request.lane === 'staging' ? staging : undefined)),

    /** Every entry is there with the checksum it was read with, and locked where that was promised. */
    verifyTransfer: ({ manifest, target, retention }: VerifyRequest): Promise<VerifyAnswer> =>
      effect(async (run) => {
        if (manifest.files === 0) return { files: 0, bytes: 0 };
        const found = await checkManifest({
          entries: readMoved(stores, manifest),
          target: endpointAt(stores, target),
          read: 'always', // a store may answer the checksum it once computed over bytes that have rotted since
          concurrency: FILES_AT_ONCE,
          listed: 3,
          signal: run.signal,
          onEntry: run.report,
        });
        if (found.same.count !== manifest.files) {
          const examples = [...found.missing.examples, ...found.differing.examples].slice(0, 3).join(', ');
          throw new PenstockError(
            'CorruptSource',
            `${found.missing.count} of ${manifest.files} files are missing and ${found.differing.count} differ in ${formatLocation(target)}, such as ${examples}.`,
            { nextStep: 'The source is kept; look at the store, then reset the workflow.' },
          );
        }
        if (retention) await attestLocks(stores, { manifest, target, retainUntil: retention.retainUntil }, run, []);
        return { files: found.same.count, bytes: manifest.bytes };
      }),

    /** Removes exactly what was moved and verified; an entry that changed since stays. */
    removeMoved: ({ manifest, source }: { manifest: ManifestRef; source: Location }): Promise<void> =>
      effect(async (run) => {
        const endpoint = endpointAt(stores, source);
        await endpoint.remove(OUTPUT_RECORD); // first, for it says that all of it is here
        const limit = pLimit(FILES_AT_ONCE);
        for (let page = 0; page < manifest.pages; page++) {
          const entries = await readManifestPage(stores.warm, manifest, page);
          await Promise.all(entries.map((entry) => limit(() => removeUnchanged(endpoint, entry, run.signal))));
          run.report({ page: page + 1, pages: manifest.pages });
        }
      }),
  };
}

async function transferSegment(stores: Stores, request: TransferRequest, run: Run, limiter: RateLimiter | undefined): Promise<TransferAnswer> {
  const { manifest, report } = request;
  const source = endpointAt(stores, request.source);
  const target = endpointAt(stores, request.target);
  // A segment is shorter than the grace: data that is still arriving keeps its pin, however long it takes.
  if (report) await stores.hot.renewReservations(report.workflowId, new Date(Date.now() + stores.site.policies.leaseGraceSeconds * 1000).toISOString());
  const tell = report ? stagingReporter(report.workflowId, report.mountIndex, stores.site.policies.readyThreshold) : undefined;
  const endsAt = Date.now() + SEGMENT_MS;
  let page = request.fromPage;
  let done = request.done;
  let bytesPerSecond = 0;
  const failed: FailedEntry[] = [];
  let failedCount = 0;

  for (; page < manifest.pages && Date.now() < endsAt; page++) {
    const before = done;
    const onProgress = (moved: Progress): void => {
      bytesPerSecond = moved.bytesPerSecond;
      const progress = progressOf(manifest, { files: before.files + moved.doneFiles, bytes: before.bytes + moved.doneBytes }, bytesPerSecond);
      run.report({ ...progress, page, pages: manifest.pages, ...(report ? { mountIndex: report.mountIndex } : {}) });
      // A progress message is a courtesy: its failure must not fail the transfer.
      void tell?.(progress).catch(() => undefined);
    };
    const moved = await findMovedPage(stores, manifest, page);
    if (moved) {
      // An earlier attempt got so far.
      done = { files: before.files + moved.files, bytes: before.bytes + moved.bytes };
      continue;
    }
    const result = await copyEntries({
      source,
      target,
      entries: await readManifestPage(stores.warm, manifest, page),
      attempt: run.attempt,
      concurrency: FILES_AT_ONCE,
      signal: run.signal,
      onProgress,
      replace: request.lane === 'staging', // a newer version of a data set replaces the one staged before; an archive never changes
      ...(limiter ? { limiter } : {}),
      ...(request.retention ? { retention: request.retention } : {}),
    });
    if (result.failed.length === 0) {
      await writeMovedPage(stores, manifest, page, result.done);
    } else {
      await stores.warm.writeBytes(manifest.bucket, failedKey(manifest, page), Buffer.from(JSON.stringify(result.failed)));
      failedCount += result.failed.length;
      failed.push(...result.failed.slice(0, FAILED_SHOWN - failed.length));
    }
    done = { files: before.files + result.done.length, bytes: before.bytes + result.done.reduce((sum, entry) => sum + entry.bytes, 0) };
  }
  if (page >= manifest.pages && failedCount === 0 && request.lane === 'staging') await rememberStaged(stores, request);
  return { nextPage: page < manifest.pages ? page : undefined, progress: progressOf(manifest, done, bytesPerSecond), failedCount, failed };
}

const progressOf = (manifest: ManifestRef, done: { files: number; bytes: number }, bytesPerSecond: number): Progress => ({
  files: manifest.files,
  bytes: manifest.bytes,
  doneFiles: done.files,
  doneBytes: done.bytes,
  bytesPerSecond: Math.round(bytesPerSecond),
});

async function removeUnchanged(endpoint: Endpoint, entry: ManifestEntry, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const now = await endpoint.stat(entry.path);
  if (now && now.bytes === entry.bytes && now.etag === entry.etag) await endpoint.remove(entry.path);
}
