/** Moving what a manifest names, unit by unit, and proving what arrived. */
import { checkManifest } from '../datapath/transfer/check.ts';
import type { Endpoint } from '../datapath/transfer/endpoint.ts';
import { inLanes } from '../datapath/transfer/lanes.ts';
import { readManifest, readManifestPage } from '../datapath/transfer/manifest-store.ts';
import type { Stores } from '../drivers/open-site.ts';
import { notWhole } from '../model/check.ts';
import type { AllocationKey } from '../model/identifiers.ts';
import type { Location } from '../model/location.ts';
import type { ManifestEntry, ManifestRef } from '../model/manifest.ts';
import { OUTPUT_RECORD } from '../model/output-record.ts';
import {
  type AbandonAnswer,
  FAILED_SHOWN,
  type ListedTransfer,
  type ListTransferRequest,
  type MoveAnswer,
  type MoveRequest,
  type TransferAnswer,
  type TransferRequest,
  type UnitAnswer,
  type UnitRequest,
  type VerifyAnswer,
} from '../model/transfer.ts';
import { abandonMove } from './abandon-move.ts';
import { effect } from './effect.ts';
import { rememberStaged } from './eviction.ts';
import { createForesight } from './foresee.ts';
import { createLimitWatch, inTurn } from './limits.ts';
import { listIntoManifest, readMoved } from './manifests.ts';
import { FILES_AT_ONCE, type Mover, movePages, moveUnit, unitOf } from './move-unit.ts';
import { createMover, finish, moveWhole } from './mover.ts';
import { endpointAt } from './places.ts';
import { attestLocks, type LockRequest } from './retention.ts';
import { demandSource } from './source.ts';
import { staging } from './staging-window.ts';

const SEGMENT_MS = 5 * 60_000; // of the segments of workflows begun before 0.2

export interface ListRequest extends AllocationKey {
  readonly source: Location;
  readonly exclude: readonly string[];
  readonly name: string;
}
export interface VerifyRequest {
  readonly manifest: ManifestRef;
  /** What arrived, as the move's answer names it; absent where the move was begun before 0.2. */
  readonly moved?: ManifestRef;
  readonly target: Location;
  readonly retention?: TransferRequest['retention'];
}

export type TransferActivities = ReturnType<typeof createTransferActivities>;

export function createTransferActivities(stores: Stores, watch = createLimitWatch(stores)) {
  /** Under the limits of the transfer and of both stores for as long as the work takes; what is staged, within a window too, where the site has a fabric for it. */
  const moving = <T>(request: MoveRequest & Partial<Pick<UnitRequest, 'unit'>>, work: (mover: Mover) => Promise<T>): Promise<T> =>
    effect(async (run) => {
      const { limiter, done } = await watch.limiterFor(request);
      try {
        return await staging(stores, request, run, async (window) =>
          work(await createMover(stores, request, run, window ? inTurn([limiter, window]) : limiter)),
        );
      } finally {
        done();
      }
    });

  return {
    /** A socket or FIFO that a job left has no content: it does not keep the output from being archived. */
    listPrefix: ({ source, exclude, name, ...key }: ListRequest): Promise<ManifestRef> =>
      effect((run) => {
        const endpoint = endpointAt(stores, source, { specials: 'skip' });
        return listIntoManifest(stores, `${key.tenant}/${key.project}/${key.allocationId}/${name}`, endpoint, run, { exclude });
      }),

    /** NotFound where there is no such source; see source.ts. */
    listTransfer: ({ name, exclude, foresee, ...from }: ListTransferRequest): Promise<ListedTransfer> =>
      effect(async (run) => {
        const { source, symlinks } = from;
        const endpoint = endpointAt(stores, source, symlinks ? { symlinks } : {});
        await demandSource(stores, from, run.signal);
        if (!foresee) return await listIntoManifest(stores, name, endpoint, run, { exclude });
        const foresight = createForesight(stores, foresee, symlinks);
        const manifest = await listIntoManifest(stores, name, endpoint, run, { exclude, onEntry: foresight.look });
        const foreseen = foresight.found(manifest.files);
        return { ...manifest, ...(foreseen ? { foreseen } : {}) };
      }),

    moveUnit: (request: UnitRequest): Promise<UnitAnswer> =>
      moving(request, async (mover) => moveUnit(mover, request, await unitOf(stores, request.manifest, request.unit))),

    /** Behind the last unit: publishes large entries, records what arrived. */
    finishMove: (request: MoveRequest): Promise<MoveAnswer> => moving(request, (mover) => finish(mover, request)),

    /** A manifest of one unit, in one activity. */
    moveWhole: (request: MoveRequest): Promise<MoveAnswer> => moving(request, (mover) => moveWhole(mover, request)),

    /** Behind a move that does not go on. */
    abandonMove: (request: MoveRequest): Promise<AbandonAnswer> =>
      effect(async (run) => abandonMove(await createMover(stores, request, run, undefined), request)),

    /** For workflows begun before 0.2. */
    transferSegment: (request: TransferRequest): Promise<TransferAnswer> => {
      const move: MoveRequest = { ...request, replace: request.lane === 'staging' };
      return moving(move, (mover) => transferSegment(mover, request, move));
    },

    /** Every entry is there with the checksum it was read with, and locked where that was promised. */
    verifyTransfer: ({ manifest, moved, target, retention }: VerifyRequest): Promise<VerifyAnswer> =>
      effect(async (run) => {
        if (manifest.files === 0) return { files: 0, bytes: 0 };
        const { limiter, done } = await watch.limiterFor({ manifest, source: target, target });
        const found = await checkManifest({
          entries: moved ? readManifest(stores.warm, moved) : readMoved(stores, manifest),
          target: endpointAt(stores, target),
          read: 'always', // a store may answer the checksum it once computed over bytes that have rotted since
          concurrency: FILES_AT_ONCE,
          listed: 3,
          limiter,
          signal: run.signal,
          onEntry: run.report,
        }).finally(done);
        const { same, sameSize, missing, differing, unreadable } = found;
        const counts = { same: same.count, sameSize: sameSize.count, missing: missing.count, differing: differing.count, unreadable: unreadable.count };
        const fault = notWhole(counts, manifest.files, target, [...missing.examples, ...differing.examples, ...unreadable.examples]);
        if (fault) throw fault;
        if (retention) await attestLocks(stores, { manifest, target, ...retention }, run, []);
        return { files: same.count, bytes: manifest.bytes };
      }),

    /** Behind a check in parts: what was moved is locked as was promised. */
    verifyLocks: (request: LockRequest): Promise<void> => effect((run) => attestLocks(stores, request, run, [])),

    /** Removes exactly what was moved and verified; an entry that changed since stays. */
    removeMoved: ({ manifest, source }: { manifest: ManifestRef; source: Location }): Promise<void> =>
      effect(async (run) => {
        const endpoint = endpointAt(stores, source);
        await endpoint.remove(OUTPUT_RECORD); // first, for it says that all of it is here
        for (let page = 0; page < manifest.pages; page++) {
          const entries = await readManifestPage(stores.warm, manifest, page);
          await inLanes(entries, FILES_AT_ONCE, (entry) => removeUnchanged(endpoint, entry, run.signal));
          run.report({ page: page + 1, pages: manifest.pages });
        }
      }),
  };
}

async function transferSegment(mover: Mover, request: TransferRequest, move: MoveRequest): Promise<TransferAnswer> {
  const { manifest, lane } = request;
  const endsAt = Date.now() + SEGMENT_MS;
  let { fromPage: page, done } = request;
  let failedCount = 0;
  const failed: TransferAnswer['failed'][number][] = [];
  for (; page < manifest.pages && Date.now() < endsAt; page++) {
    const moved = await movePages(mover, move, page, page + 1);
    done = { files: done.files + moved.files, bytes: done.bytes + moved.bytes };
    failedCount += moved.failedCount;
    failed.push(...moved.failed.slice(0, FAILED_SHOWN - failed.length));
  }
  if (page >= manifest.pages && failedCount === 0 && lane === 'staging') await rememberStaged(mover.stores, request);
  const progress = { files: manifest.files, bytes: manifest.bytes, doneFiles: done.files, doneBytes: done.bytes, bytesPerSecond: 0 };
  return { nextPage: page < manifest.pages ? page : undefined, progress, failedCount, failed };
}

async function removeUnchanged(endpoint: Endpoint, entry: ManifestEntry, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const now = await endpoint.stat(entry.path, signal);
  if (now && now.bytes === entry.bytes && now.etag === entry.etag) await endpoint.remove(entry.path, signal);
}
