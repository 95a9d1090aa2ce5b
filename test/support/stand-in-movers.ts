/** Activities that move nothing: for what the workflows of transfers do with any answer, at any number of units. On a real Temporal server. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CancelledFailure, Context } from '@temporalio/activity';
import { Client, Connection } from '@temporalio/client';
import { NativeConnection, Worker } from '@temporalio/worker';
import { connectPenstock, type Penstock } from '../../client/index.ts';
import { startSite } from '../../dev/site/start-site.ts';
import { CONTROL_QUEUE, DATA_QUEUE } from '../../model/identifiers.ts';
import type { StoreLimits } from '../../model/limits.ts';
import type { FailedEntry, ManifestRef } from '../../model/manifest.ts';
import { signalNames } from '../../model/messages.ts';
import type { AbandonAnswer, LeftWhole, MoveAnswer, MoveRequest, UnitAnswer, UnitProgress, UnitRequest } from '../../model/transfer.ts';
import { bundleWorkflows } from '../../workers/bundle.ts';

export const UNIT_BYTES = 1000;

export const nothingLeft: AbandonAnswer = { ended: 0, left: 0, published: { files: 0, bytes: 0 } };

export interface StandIns {
  /** Of the next manifests that are listed. */
  units: number;
  /** Units that have one entry of two that cannot be moved. */
  failing: ReadonlySet<number>;
  /** A unit does not end before this does. */
  gate: (unit: number) => Promise<void>;
  eventsPerRun: number;
  /** What a unit that is cancelled says of what it leaves, as movers do; undefined where it does not get to say so. */
  left: LeftWhole | undefined;
  /** Units that are shares of large files: none of what they answer is a file. */
  shares: ReadonlySet<number>;
  /** What a unit tells its transfer when it begins, whichever activity it is. */
  tells: readonly UnitProgress[];
  /** Every call of moveUnit, in order of arrival. */
  readonly begun: number[];
  /** Most units at once, so far. */
  mostAtOnce: number;
  /** Every limit that was put on record. */
  readonly limits: (readonly [string, number | null])[];
  readonly storeLimits: Map<string, number>;
  /** Where the manifest lies, of every call of abandonMove. */
  readonly abandoned: string[];
  /** What it answers. */
  abandon: () => Promise<AbandonAnswer>;
}

export interface MoversSite {
  readonly temporal: Client;
  readonly penstock: Penstock;
  readonly standIns: StandIns;
  stop(): Promise<void>;
}

export const manifestOf = (units: number, name = 'manifests/test/'): ManifestRef => ({
  store: 'warm',
  bucket: 'penstock-system',
  prefix: name,
  pages: units,
  files: 2 * units,
  bytes: units * UNIT_BYTES,
  digest: '0'.repeat(64),
  units,
});

export async function startMoversSite(): Promise<MoversSite> {
  const directory = await mkdtemp(join(tmpdir(), 'penstock-movers-'));
  const site = await startSite({ configFile: 'temporal-dev.yaml', directory, log: () => undefined, services: ['temporal'] });
  const { address } = site.site.temporal;
  const standIns: StandIns = {
    units: 3,
    failing: new Set(),
    gate: () => Promise.resolve(),
    eventsPerRun: 2000,
    left: undefined,
    shares: new Set(),
    tells: [],
    begun: [],
    mostAtOnce: 0,
    limits: [],
    abandoned: [],
    abandon: () => Promise.resolve(nothingLeft),
    storeLimits: new Map(),
  };
  const connection = await NativeConnection.connect({ address });
  const workers = await Promise.all([
    Worker.create({ connection, taskQueue: CONTROL_QUEUE, workflowBundle: await bundleWorkflows(), activities: controlActivities(standIns) }),
    Worker.create({ connection, taskQueue: DATA_QUEUE, activities: dataActivities(standIns) }),
  ]);
  const running = Promise.all(workers.map((worker) => worker.run()));
  const clientConnection = await Connection.connect({ address });
  const penstock = await connectPenstock({ address });
  return {
    temporal: new Client({ connection: clientConnection }),
    penstock,
    standIns,
    async stop() {
      for (const worker of workers) worker.shutdown();
      await running;
      await penstock.close();
      await clientConnection.close();
      await connection.close();
      await site.stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

function controlActivities(standIns: StandIns) {
  return {
    openTransfer: async ({ transferId, bytesPerSecond }: { transferId: string; bytesPerSecond: number | null }) => {
      standIns.limits.push([transferId, bytesPerSecond]);
      return { heartbeatSeconds: 4, eventsPerRun: standIns.eventsPerRun };
    },
    setTransferLimit: async ({ transferId, bytesPerSecond }: { transferId: string; bytesPerSecond: number | null }) => {
      standIns.limits.push([transferId, bytesPerSecond]);
    },
    readStoreLimits: async (): Promise<StoreLimits> => Object.fromEntries(standIns.storeLimits),
    setStoreLimit: async ({ store, bytesPerSecond }: { store: string; bytesPerSecond: number | null }) => {
      if (bytesPerSecond === null) standIns.storeLimits.delete(store);
      else standIns.storeLimits.set(store, bytesPerSecond);
    },
  };
}

function dataActivities(standIns: StandIns) {
  let atOnce = 0;
  const failuresOf = (unit: number): FailedEntry[] =>
    standIns.failing.has(unit) ? [{ path: `unit-${unit}/b`, type: 'Denied', message: 'no right to read it' }] : [];
  const answerOf = (units: readonly number[]): UnitAnswer => {
    const failed = units.flatMap(failuresOf);
    const [unit] = units;
    if (units.length === 1 && unit !== undefined && standIns.shares.has(unit)) {
      return { files: 0, bytes: UNIT_BYTES, shareBytes: UNIT_BYTES, failedCount: 0, failed: [] };
    }
    return { files: 2 * units.length - failed.length, bytes: UNIT_BYTES * units.length, failedCount: failed.length, failed: failed.slice(0, 20) };
  };
  const finish = async ({ manifest }: MoveRequest): Promise<MoveAnswer> => ({
    ...answerOf(Array.from({ length: manifest.units ?? 0 }, (_, unit) => unit)),
    moved: { ...manifest, prefix: `${manifest.prefix}moved/` },
  });
  const tell = async (unit: number, progressTo: string | undefined): Promise<void> => {
    if (progressTo === undefined) return;
    const transfer = Context.current().client.workflow.getHandle(progressTo);
    for (const progress of standIns.tells.filter((each) => each.unit === unit)) await transfer.signal(signalNames.unitProgress, progress);
  };
  const passGate = async (unit: number): Promise<void> => {
    const context = Context.current();
    const beat = setInterval(() => context.heartbeat({ unit, doneFiles: 1, doneBytes: UNIT_BYTES / 2, bytesPerSecond: 7 }), 100);
    const cancelled = context.cancelled.catch((reason: unknown) => {
      throw standIns.left && reason instanceof CancelledFailure ? new CancelledFailure(reason.message, [{ whole: standIns.left }]) : reason;
    });
    await Promise.race([standIns.gate(unit), cancelled]).finally(() => clearInterval(beat));
  };
  return {
    listTransfer: async ({ name }: { name: string }) => manifestOf(standIns.units, `manifests/${name}/`),
    moveUnit: async ({ unit, progressTo }: UnitRequest): Promise<UnitAnswer> => {
      standIns.begun.push(unit);
      await tell(unit, progressTo);
      atOnce += 1;
      standIns.mostAtOnce = Math.max(standIns.mostAtOnce, atOnce);
      try {
        await passGate(unit);
        return answerOf([unit]);
      } finally {
        atOnce -= 1;
      }
    },
    moveWhole: async (request: MoveRequest): Promise<MoveAnswer> => {
      standIns.begun.push(0);
      await tell(0, request.progressTo);
      await passGate(0);
      return await finish(request);
    },
    finishMove: finish,
    abandonMove: async ({ manifest }: MoveRequest): Promise<AbandonAnswer> => {
      standIns.abandoned.push(manifest.prefix);
      return standIns.abandon();
    },
  };
}
