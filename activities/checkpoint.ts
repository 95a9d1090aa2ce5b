/** Checkpoints: room for them, the two-copy commit, the drain to the erasure set, and the way back. */
import { join } from 'node:path';
import { Context, metricMeter } from '@temporalio/activity';
import { commitCopies, confirmWritten, readCommitRecord } from '../datapath/checkpoint/commit.ts';
import { drainFiles, removeDrained, verifyFiles } from '../datapath/checkpoint/drain.ts';
import { drainAgain } from '../datapath/checkpoint/drain-again.ts';
import { readDrainedRecord } from '../datapath/checkpoint/drained.ts';
import { type RestoredFiles, restoreFiles } from '../datapath/checkpoint/restore.ts';
import type { RateLimiter } from '../datapath/transfer/rate-limiter.ts';
import type { Stores } from '../drivers/open-site.ts';
import {
  type CheckpointKey,
  type CheckpointReservation,
  type CommittedCheckpoint,
  checkpointDirectory,
  checkpointPrefix,
  type RestoreRequest,
} from '../model/checkpoint.ts';
import { isType, PenstockError } from '../model/errors.ts';
import { fabricOfRack } from '../model/fabric.ts';
import { queryNames, signalNames } from '../model/messages.ts';
import { formatBytes } from '../model/quantity.ts';
import { recordKept } from './checkpoint-retention.ts';
import { effect, type Run } from './effect.ts';
import { reportingDamage } from './repair-queue.ts';
import { dropFromRing, findSecond, markDrained, removeGlobalCopy } from './second-copy.ts';
import { withinDrainWindow, withinRestoreWindow } from './windows.ts';

export interface InRack extends CheckpointKey {
  readonly nodeId: string;
  readonly rackId: string;
}
export interface PrepareCheckpointRequest extends InRack {
  readonly bytes: number;
  readonly expiresAt: string;
}

export interface DrainOne extends InRack {
  /** ISO instant: the work from here on is lost with this rack, for no later checkpoint of the allocation was drained when this one was committed. Absent in drains of before 0.3. */
  readonly safeUntil?: string;
  /** Why it is kept for good. */
  readonly keep?: string;
  /** Its workflow is told before the first byte is stored: until then it may be superseded. */
  readonly maySupersede?: boolean;
}

export type CheckpointActivities = ReturnType<typeof createCheckpointActivities>;

export function createCheckpointActivities(stores: Stores) {
  const copies = (key: InRack) => {
    const directory = checkpointDirectory(key, key.checkpointId);
    return { directory, local: stores.nodeFiles(key.nodeId), rack: stores.rackFiles(key.rackId, key.nodeId) };
  };
  /** As large as the commit's record says. Without one there is nothing to move, and who was to move it says why. */
  const inWindow = async (request: DrainOne, run: Run, work: (limited: { readonly limiter?: RateLimiter }) => Promise<void>): Promise<void> => {
    const { directory, rack } = copies(request);
    const fabric = fabricOfRack(stores.site.fabrics, request.rackId);
    const record = fabric === undefined ? undefined : await readCommitRecord(rack, directory);
    if (fabric === undefined || !record) await untilRacksAnswer(() => work({}));
    else {
      const atRisk = { bytes: record.bytes, committedAt: request.safeUntil ?? record.committedAt };
      await withinDrainWindow({ fabric, tenant: request.tenant, record: atRisk }, run, (limiter) => untilRacksAnswer(() => work({ limiter })));
    }
  };

  const dropCopies = async (request: InRack, run: Run): Promise<void> => {
    const { directory, rack, local } = copies(request);
    await rack.remove(directory);
    await removeGlobalCopy(stores, request);
    await local.remove(directory);
    await dropFromRing(stores, request, run.attempt);
  };

  return {
    /** Refuses an id that was ever committed: its bytes are somebody's way back. */
    prepareCheckpoint: (request: PrepareCheckpointRequest): Promise<CheckpointReservation> =>
      effect(
        async (run) => {
          const { directory, local, rack } = copies(request);
          const inErasureSet = { racks: stores.shardRacks, prefix: checkpointPrefix(request), signal: run.signal };
          if ((await readCommitRecord(rack, directory)) || (await readDrainedRecord(inErasureSet))) {
            throw new PenstockError('Conflict', `checkpoint ${request.checkpointId} was committed before.`, { nextStep: 'Choose another checkpoint id.' });
          }
          for (const store of [local, rack]) {
            const free = await store.freeBytes();
            if (free < request.bytes)
              throw new PenstockError('OutOfSpace', `a checkpoint needs ${formatBytes(request.bytes)}, ${formatBytes(free)} are free.`, { store: store.name });
            await store.ensureDirectory(directory);
          }
          return {
            checkpointId: request.checkpointId,
            localPath: join(local.root, directory),
            rackPath: join(rack.root, directory),
            uri: `s3://${request.tenant}/${request.project}/${request.allocationId}/checkpoints/${request.checkpointId}/`,
            rackId: request.rackId,
            nodeId: request.nodeId,
            expiresAt: request.expiresAt,
          };
        },
        { refuse: ['OutOfSpace'] },
      ),

    /** Acknowledges only what is there twice, equal and synced. CheckpointIncomplete says which file is missing or differs. */
    commitCheckpoint: (request: InRack): Promise<CommittedCheckpoint> =>
      effect(async (run) => {
        const { directory, local, rack } = copies(request);
        const { checkpointId } = request;
        const written = await confirmWritten({ checkpointId, directory, rack, signal: run.signal, findSecond: () => findSecond(stores, request) });
        const record = written?.record ?? (await commitCopies({ checkpointId, directory, local, rack, signal: run.signal, attempt: run.attempt }));
        if (written?.copy === 'global') {
          metricMeter.createCounter('penstock_checkpoints_degraded_total', undefined, 'committed to rack and global tier, for the ring failed').add(1);
        }
        const { digest, committedAt, bytes, files } = record;
        return { checkpointId, files: files.length, bytes, digest, committedAt, ...(written ? { secondCopy: written.copy } : {}) };
      }),

    /** Within a window, where the rack drains over a fabric that has a broker; so is the reading back. */
    drainToErasureSet: (request: DrainOne): Promise<void> =>
      effect(async (run) => {
        const { directory, rack } = copies(request);
        const drain = { racks: stores.shardRacks, prefix: checkpointPrefix(request), source: rack, directory, attempt: run.attempt, signal: run.signal };
        // Before it is drained: what is to be kept is never there without the word that keeps it.
        if (request.keep !== undefined) await recordKept(stores, request, request.keep);
        await inWindow(request, run, async (limited) => {
          if (request.maySupersede) await tellBegun();
          await drainFiles({ ...drain, onProgress: run.report, ...limited });
        });
      }),

    /** Every shard of every file is read back from its rack before the in-rack copy may go. What is found lost is drained again from that copy, and read back too. */
    verifyDrained: (request: DrainOne): Promise<void> =>
      effect((run) =>
        reportingDamage(stores, (onDamage) => {
          const drained = { racks: stores.shardRacks, prefix: checkpointPrefix(request), signal: run.signal, onProgress: run.report };
          const { directory, rack } = copies(request);
          return inWindow(request, run, async (limited) => {
            const drain = { ...drained, source: rack, directory, attempt: run.attempt, ...limited };
            // One before this may have been ended while it drained again.
            if (run.superseded.length > 0 && !(await readDrainedRecord(drained))) await drainFiles(drain);
            const lost: string[] = [];
            const onLost = (name: string): void => void lost.push(name);
            await verifyFiles({ ...drained, onDamage, onLost, ...limited });
            if (lost.length === 0) return;
            metricMeter
              .createCounter('penstock_checkpoint_objects_drained_again_total', undefined, 'lost in the erasure set before they were read back')
              .add(lost.length);
            await drainAgain(drain, lost);
            await verifyFiles({ ...drained, onDamage, ...limited });
          });
        }),
      ),

    /** Only after {@link verifyDrained}; the ring may let go of its copy from then on, too. */
    releaseRackCopy: (request: InRack): Promise<void> =>
      effect(async (run) => {
        const { directory, rack } = copies(request);
        // A job may have spoilt its record by now: what it has in the ring is let go of as long as the erasure set has it.
        const record = await readCommitRecord(rack, directory).catch(() => undefined);
        if (record) await markDrained(stores, request, record, run.attempt);
        await rack.remove(directory);
        await removeGlobalCopy(stores, request);
      }),

    abandonCheckpoint: (request: InRack): Promise<void> =>
      effect(async (run) => {
        await removeDrained({ racks: stores.shardRacks, prefix: checkpointPrefix(request), signal: run.signal });
        await dropCopies(request, run);
      }),

    /** Of one whose drain never began: the erasure set, which may be away, has nothing of it. */
    dropCheckpointCopies: (request: InRack): Promise<void> => effect((run) => dropCopies(request, run)),

    /** Within a window, where the site stages over a fabric. NotFound where the file asked for is none of the checkpoint. */
    restoreFromErasureSet: ({ file, ...key }: RestoreRequest): Promise<RestoredFiles & { readonly path: string }> =>
      effect(async (run) => {
        const directory = `${key.tenant}/${key.project}/${key.allocationId}/checkpoints/${key.checkpointId}`;
        const from = { racks: stores.shardRacks, prefix: checkpointPrefix(key), signal: run.signal };
        const to = { target: stores.hotFiles, directory, attempt: run.attempt, only: file === undefined ? undefined : [file], onProgress: run.report };
        const bytesOf = async (): Promise<number> => {
          const { files = [] } = (await readDrainedRecord(from)) ?? {};
          return files.reduce((sum, { path, bytes }) => sum + (file === undefined || path === file ? bytes : 0), 0);
        };
        const restored = await withinRestoreWindow(stores.site, { tenant: key.tenant, bytesOf }, run, (limiter) =>
          reportingDamage(stores, (onDamage) => restoreFiles({ ...from, ...to, onDamage, limiter })),
        );
        return { path: directory, ...restored };
      }),
  };
}

/** Of a drain, whose source is kept meanwhile: what too few racks answer for is no end, as it is of a restore, but tried again. */
async function untilRacksAnswer(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!isType(error, 'NotEnoughShards')) throw error;
    throw new PenstockError('StoreUnavailable', error.message, { nextStep: 'It is tried again; the in-rack copy is kept.', cause: error });
  }
}

/** Once: a signal is history, and attempts may be many. */
async function tellBegun(): Promise<void> {
  const { client, info } = Context.current();
  const drain = client.workflow.getHandle(info.workflowExecution?.workflowId ?? '');
  if (!(await drain.query<boolean>(queryNames.drainBegun))) await drain.signal(signalNames.drainBegun);
}
