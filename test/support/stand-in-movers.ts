/** Activities that move nothing: for what the workflows of transfers do with any answer, at any number of units. On a real Temporal server. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Context } from '@temporalio/activity';
import { Client, Connection } from '@temporalio/client';
import { NativeConnection, Worker } from '@temporalio/worker';
import { connectPenstock, type Penstock } from '../../client/index.ts';
import { startSite } from '../../dev/site/start-site.ts';
import { CONTROL_QUEUE, DATA_QUEUE } from '../../model/identifiers.ts';
import type { StoreLimits } from '../../model/limits.ts';
import type { FailedEntry, ManifestRef } from '../../model/manifest.ts';
import type { MoveAnswer, MoveRequest, UnitAnswer, UnitRequest } from '../../model/transfer.ts';
import { bundleWorkflows } from '../../workers/bundle.ts';

export const UNIT_BYTES = 1000;

export interface StandIns {
  /** Of the next manifests that are listed. */
  units: number;
  /** Units that have one entry of two that cannot be moved. */
  failing: ReadonlySet<number>;
  /** A unit does not end before this does. */
  gate: (unit: number) => Promise<void>;
  eventsPerRun: number;
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
  abandon: () => Promise<number>;
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
    begun: [],
    mostAtOnce: 0,
    limits: [],
    abandoned: [],
    abandon: () => Promise.resolve(0),
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
    return { files: 2 * units.length - failed.length, bytes: UNIT_BYTES * units.length, failedCount: failed.length, failed: failed.slice(0, 20) };
  };
  const finish = async ({ manifest }: MoveRequest): Promise<MoveAnswer> => ({
    ...answerOf(Array.from({ length: manifest.units ?? 0 }, (_, unit) => unit)),
    moved: { ...manifest, prefix: `${manifest.prefix}moved/` },
  });
  return {
    listTransfer: async ({ name }: { name: string }) => manifestOf(standIns.units, `manifests/${name}/`),
    moveUnit: async ({ unit }: UnitRequest): Promise<UnitAnswer> => {
      standIns.begun.push(unit);
      atOnce += 1;
      standIns.mostAtOnce = Math.max(standIns.mostAtOnce, atOnce);
      const context = Context.current();
      const beat = setInterval(() => context.heartbeat({ unit, doneFiles: 1, doneBytes: UNIT_BYTES / 2, bytesPerSecond: 7 }), 100);
      try {
        await Promise.race([standIns.gate(unit), context.cancelled]);
        return answerOf([unit]);
      } finally {
        atOnce -= 1;
        clearInterval(beat);
      }
    },
    moveWhole: finish,
    finishMove: finish,
    abandonMove: async ({ manifest }: MoveRequest): Promise<number> => {
      standIns.abandoned.push(manifest.prefix);
      return standIns.abandon();
    },
  };
}
