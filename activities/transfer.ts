/** Moving what a manifest names, in segments of some minutes, and proving what arrived. */
import pLimit from 'p-limit';
import { checkManifest } from '../datapath/transfer/check.ts';
import { copyEntries } from '../datapath/transfer/copy.ts';
import type { Endpoint } from '../datapath/transfer/endpoint.ts';
import { listAll } from '../datapath/transfer/list-all.ts';
import { readManifest, readManifestPage, writeManifest, writeManifestPage } from '../datapath/transfer/manifest-store.ts';
import { createRateMeter } from '../datapath/transfer/progress.ts';
import { createRateLimiter, type RateLimiter } from '../datapath/transfer/rate-limiter.ts';
import type { Stores } from '../drivers/open-site.ts';
import { PenstockError } from '../model/errors.ts';
import type { AllocationKey } from '../model/identifiers.ts';
import { formatLocation, type Location, SYSTEM_BUCKET } from '../model/location.ts';
import type { FailedEntry, ManifestEntry, ManifestRef, Progress } from '../model/manifest.ts';
import type { TransferAnswer, TransferRequest, VerifyAnswer } from '../model/transfer.ts';
import { effect, type Run } from './effect.ts';
import { failedPrefix, manifestPrefix, movedPrefix } from './manifest-names.ts';
import { endpointAt } from './places.ts';
import { stagingReporter } from './reports.ts';

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
    listPrefix: (request: ListRequest): Promise<ManifestRef> =>
      effect(async (run) => {
        await stores.warm.ensureBucket(SYSTEM_BUCKET);
        const entries = without(listAll(endpointAt(stores, request.source), run.signal), request.exclude);
        return writeManifest({
          store: stores.warm,
          storeName: 'warm',
          bucket: SYSTEM_BUCKET,
          prefix: manifestPrefix(request, request.name),
          entries,
          signal: run.signal,
        });
      }),

    transferSegment: (request: TransferRequest): Promise<TransferAnswer> =>
      effect((run) => transferSegment(stores, request, run, request.lane === 'staging' ? staging : undefined)),

    /** Every entry is there with the checksum it was read with, and locked where that was promised. */
    verifyTransfer: ({ manifest, target, retention }: VerifyRequest): Promise<VerifyAnswer> =>
      effect(async (run) => {
        if (manifest.files === 0) return { files: 0, bytes: 0 };
        const moved = { ...manifest, prefix: movedPrefix(manifest.prefix) };
        const result = await checkManifest({ entries: readManifest(stores.warm, moved), target: endpointAt(stores, target), signal: run.signal });
        const wrong = [...result.missing.examples, ...result.differing.examples];
        if (result.missing.count + result.differing.count > 0 || result.same.count !== manifest.files) {
          throw new PenstockError(
            'CorruptSource',
            `${result.missing.count} of ${manifest.files} files are missing and ${result.differing.count} differ in ${formatLocation(target)}, such as ${wrong.slice(0, 3).join(', ')}.`,
            { nextStep: 'The source is kept; look at the store, then reset the workflow.' },
          );
        }
        if (retention) await verifyRetention(stores, moved, target, retention.retainUntil);
        return { files: result.same.count, bytes: manifest.bytes };
      }),

    /** Removes exactly what was moved and verified; an entry that changed since stays. */
    removeMoved: ({ manifest, source }: { manifest: ManifestRef; source: Location }): Promise<void> =>
      effect(async (run) => {
        const endpoint = endpointAt(stores, source);
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
  const tell = report ? stagingReporter(report.workflowId, report.mountIndex) : undefined;
  const meter = createRateMeter();
  const endsAt = Date.now() + SEGMENT_MS;
  let page = request.fromPage;
  let done = request.done;
  const failed: FailedEntry[] = [];
  let failedCount = 0;

  for (; page < manifest.pages && Date.now() < endsAt; page++) {
    const before = done;
    const onProgress = (moved: { files: number; bytes: number }): void => {
      done = { files: before.files + moved.files, bytes: before.bytes + moved.bytes };
      meter.add(done.bytes);
      const progress = progressOf(manifest, done, meter.bytesPerSecond());
      run.report({ ...progress, page, pages: manifest.pages, ...(report ? { mountIndex: report.mountIndex } : {}) });
      // A progress message is a courtesy: its failure must not fail the transfer.
      void tell?.(progress).catch(() => undefined);
    };
    const entries = await readManifestPage(stores.warm, manifest, page);
    const result = await copyEntries({
      source,
      target,
      entries,
      attempt: run.attempt,
      concurrency: FILES_AT_ONCE,
      signal: run.signal,
      onProgress,
      replace: request.lane === 'staging',
      ...(limiter ? { limiter } : {}),
      ...(request.retention ? { retention: request.retention } : {}),
    });
    await writeManifestPage(stores.warm, { ...manifest, prefix: movedPrefix(manifest.prefix) }, page, result.done);
    if (result.failed.length > 0) {
      await stores.warm.writeBytes(manifest.bucket, `${failedPrefix(manifest.prefix)}${page}.json`, Buffer.from(JSON.stringify(result.failed)));
      failedCount += result.failed.length;
      failed.push(...result.failed.slice(0, FAILED_SHOWN - failed.length));
    }
    done = { files: before.files + result.done.length, bytes: before.bytes + result.done.reduce((sum, entry) => sum + entry.bytes, 0) };
  }
  return { nextPage: page < manifest.pages ? page : undefined, progress: progressOf(manifest, done, meter.bytesPerSecond()), failedCount, failed };
}

const progressOf = (manifest: ManifestRef, done: { files: number; bytes: number }, bytesPerSecond: number): Progress => ({
  files: manifest.files,
  bytes: manifest.bytes,
  doneFiles: done.files,
  doneBytes: done.bytes,
  bytesPerSecond: Math.round(bytesPerSecond),
});

/** A store may acknowledge a lock and not keep it: the promise counts when it is read back. */
async function verifyRetention(stores: Stores, manifest: ManifestRef, target: Location, retainUntil: string): Promise<void> {
  const store = target.store === 'cold' ? stores.cold : stores.warm;
  const limit = pLimit(FILES_AT_ONCE);
  for (let page = 0; page < manifest.pages; page++) {
    const entries = await readManifestPage(stores.warm, manifest, page);
    await Promise.all(
      entries.map((entry) =>
        limit(async () => {
          const held = await store.retention(target.bucket, `${target.prefix}${entry.path}`);
          if (held?.mode === 'COMPLIANCE' && Date.parse(held.retainUntil) >= Math.floor(Date.parse(retainUntil) / 1000) * 1000) return;
          throw new PenstockError(
            'PolicyRefused',
            `${entry.path} was to be locked until ${retainUntil}, the store answers ${held ? `${held.mode} until ${held.retainUntil}` : 'no lock'}.`,
            { store: store.name, nextStep: 'The source is kept; run `penstock doctor` to see what the store can do.' },
          );
        }),
      ),
    );
  }
}

async function removeUnchanged(endpoint: Endpoint, entry: ManifestEntry, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const now = await endpoint.stat(entry.path);
  if (now && now.bytes === entry.bytes && now.etag === entry.etag) await endpoint.remove(entry.path);
}

async function* without(entries: AsyncIterable<ManifestEntry>, exclude: readonly string[]): AsyncIterable<ManifestEntry> {
  for await (const entry of entries) {
    if (!exclude.some((prefix) => entry.path.startsWith(prefix))) yield entry;
  }
}
