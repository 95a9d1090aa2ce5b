/** What every activity that moves needs: the two ends, the limits, and someone to tell about progress. */
import type { FileEndpointOptions } from '../datapath/transfer/file-endpoint.ts';
import { createObjectEndpoint } from '../datapath/transfer/object-endpoint.ts';
import { createRateMeter } from '../datapath/transfer/progress.ts';
import type { RateLimiter } from '../datapath/transfer/rate-limiter.ts';
import { withWriteDefaults } from '../drivers/cold-tier/write-defaults.ts';
import type { Stores } from '../drivers/open-site.ts';
import type { MoveAnswer, MoveRequest, MoverDetails, UnitProgress, UnitRequest } from '../model/transfer.ts';
import type { Run } from './effect.ts';
import { rememberStaged } from './eviction.ts';
import { finishMove } from './finish-move.ts';
import { type Mover, moveUnit, unitOf } from './move-unit.ts';
import { endpointAt, objectsOf } from './places.ts';
import { stagingReporter, unitReporter } from './reports.ts';

export async function createMover(
  stores: Stores,
  request: MoveRequest & Partial<Pick<UnitRequest, 'unit'>>,
  run: Run,
  limiter: RateLimiter | undefined,
): Promise<Mover> {
  const { manifest, report, unit = 0 } = request;
  const links = request.symlinks ? { symlinks: request.symlinks } : {};
  // A unit is shorter than the grace: data that is still arriving keeps its pin, however long it takes.
  if (report) await renewPins(stores, report.workflowId);
  const tellTransfer = request.progressTo === undefined ? undefined : unitReporter(request.progressTo, request.limit?.lanes ?? 1);
  const tell = report ? stagingReporter(report.workflowId, report.mountIndex, stores.site.policies.readyThreshold) : undefined;
  const meter = createRateMeter();
  const whole = { files: 0, bytes: 0, isAtLeast: run.superseded.length > 0 };
  let done = { doneFiles: 0, doneBytes: 0 };
  const told = (): UnitProgress => ({ unit, ...done, bytesPerSecond: meter.rate() ?? 0 });
  const advance = (next: typeof done): void => {
    done = next;
    // A progress message is a courtesy: its failure must not fail the transfer.
    void tell?.({ files: manifest.files, bytes: manifest.bytes, ...done, bytesPerSecond: meter.rate() ?? 0 }).catch(() => undefined);
  };
  run.follow((): MoverDetails => {
    void tellTransfer?.(told()).catch(() => undefined);
    const rate = meter.rate();
    return {
      files: manifest.files,
      bytes: manifest.bytes,
      unit,
      ...done,
      ...(rate === undefined ? {} : { bytesPerSecond: rate }),
      whole,
      ...(report ? { mountIndex: report.mountIndex } : {}),
    };
  });
  return {
    stores,
    source: endpointAt(stores, request.source, links),
    ...targetOf(stores, request, links),
    limiter,
    run,
    onProgress(next) {
      meter.add(next.doneBytes - done.doneBytes);
      advance(next);
    },
    onFound(found) {
      advance({ doneFiles: done.doneFiles + found.files, doneBytes: done.doneBytes + found.bytes });
    },
    onWhole(arrived) {
      whole.files += arrived.files;
      whole.bytes += arrived.bytes;
    },
  };
}

function targetOf(stores: Stores, { target, archive }: MoveRequest, links: FileEndpointOptions): Pick<Mover, 'target' | 'archive'> {
  if (!archive) return { target: endpointAt(stores, target, links) };
  const store = withWriteDefaults(objectsOf(stores, target.store), { storageClass: archive });
  return { target: createObjectEndpoint(store, target.bucket, target.prefix), archive: { store, bucket: target.bucket, base: target.prefix } };
}

export const renewPins = (stores: Stores, owner: string): Promise<void> =>
  stores.hot.renewReservations(owner, new Date(Date.now() + stores.site.policies.leaseGraceSeconds * 1000).toISOString());

/** A manifest of one unit. */
export async function moveWhole(mover: Mover, request: MoveRequest): Promise<MoveAnswer> {
  const units = request.manifest.units ?? 0;
  for (let unit = 0; unit < units; unit += 1) await moveUnit(mover, request, await unitOf(mover.stores, request.manifest, unit));
  return await finish(mover, request);
}

/** Behind the last unit. */
export async function finish(mover: Mover, request: MoveRequest): Promise<MoveAnswer> {
  const answer = await finishMove(mover, request);
  if (answer.failedCount === 0 && request.lane === 'staging') await rememberStaged(mover.stores, request);
  return answer;
}
