/** How many reservations a broker takes in a second, and how long the slowest take, beside an entity workflow that does nothing: same server, same worker, same client, in turns. */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client, Connection, type WorkflowHandle } from '@temporalio/client';
import { NativeConnection, Worker } from '@temporalio/worker';
import pLimit from 'p-limit';
import { startSite } from '../../dev/site/start-site.ts';
import { brokerWorkflowId, type ReserveInput } from '../../model/broker.ts';
import { FabricSchema } from '../../model/fabric.ts';
import { CONTROL_QUEUE } from '../../model/identifiers.ts';
import { updateNames } from '../../model/messages.ts';
import type { BenchContext, BenchOutcome } from '../harness/bench.ts';
import { median, type Row, row } from '../harness/rows.ts';

/** A server takes ten updates of one workflow at once. */
const IN_FLIGHT = 8;
const UPDATES = { full: 1000, quick: 200 };
const RUNS = { full: 3, quick: 1 };
/** As the workflow's own bound. */
const EVENTS_PER_RUN = 2000;
const FABRIC = FabricSchema.parse({ capacity: '1TB/s', leaseSeconds: 600 });

interface Figures {
  readonly perSecond: number;
  readonly p99Milliseconds: number;
}

export async function runBroker(context: BenchContext): Promise<BenchOutcome> {
  const { options, workspace, log } = context;
  const directory = await workspace.directory('/tmp');
  const site = await startSite({ configFile: 'temporal-dev.yaml', directory: join(directory, 'site'), services: ['temporal'], log: () => undefined });
  workspace.onLeave(() => site.stop());
  const { address, namespace } = site.site.temporal;
  const [connection, native] = await Promise.all([Connection.connect({ address }), NativeConnection.connect({ address })]);
  const client = new Client({ connection, namespace });
  const worker = await Worker.create({
    connection: native,
    namespace,
    taskQueue: CONTROL_QUEUE,
    workflowsPath: fileURLToPath(new URL('bare-workflows.ts', import.meta.url)),
    activities: { readFabric: () => Promise.resolve({ fabric: FABRIC, eventsPerRun: EVENTS_PER_RUN }) },
  });
  try {
    return await worker.runUntil(async () => {
      const updates = options.quick ? UPDATES.quick : UPDATES.full;
      const measured: { broker: Figures; bare: Figures }[] = [];
      for (let run = 0; run < (options.runs ?? (options.quick ? RUNS.quick : RUNS.full)); run++) {
        const bare = await measureUpdates(await startOne(client, 'bare', `bare/${run}`), updates, 'touch', () => ({}));
        const broker = await measureUpdates(await startOne(client, 'broker', brokerWorkflowId(`fabric-${run}`)), updates, updateNames.reserve, reservation);
        log(`run ${run + 1}: ${broker.perSecond.toFixed(0)} reservations/s beside ${bare.perSecond.toFixed(0)} bare updates/s`);
        measured.push({ broker, bare });
      }
      return { rows: rowsOf(updates, measured), facts: [['updates in flight', String(IN_FLIGHT)]] };
    });
  } finally {
    await connection.close();
    await native.close();
  }
}

const reservation = (number: number): ReserveInput => ({ requestId: `rack-${number + 1}`, bytes: '8TB', class: 'drain', tenant: `tenant-${number % 16}` });

function startOne(client: Client, type: string, workflowId: string): Promise<WorkflowHandle> {
  return client.workflow.start(type, { workflowId, taskQueue: CONTROL_QUEUE, args: type === 'broker' ? [workflowId.slice(workflowId.indexOf('/') + 1)] : [] });
}

async function measureUpdates(handle: WorkflowHandle, updates: number, name: string, input: (number: number) => unknown): Promise<Figures> {
  const inFlight = pLimit(IN_FLIGHT);
  const update = async (number: number): Promise<number> => {
    const startedAt = performance.now();
    await handle.executeUpdate(name, { args: [input(number)], updateId: `${name}-${number}` });
    return performance.now() - startedAt;
  };
  await update(-1); // the worker has the workflow in its cache
  const startedAt = performance.now();
  const took = await Promise.all(Array.from({ length: updates }, (_, number) => inFlight(() => update(number))));
  const seconds = (performance.now() - startedAt) / 1000;
  const slowest = took.toSorted((a, b) => a - b).at(Math.ceil(updates * 0.99) - 1) ?? Number.NaN;
  await handle.terminate();
  return { perSecond: updates / seconds, p99Milliseconds: slowest };
}

function rowsOf(updates: number, measured: readonly { broker: Figures; bare: Figures }[]): Row[] {
  const name = `broker/${updates}`;
  const peerName = 'bare entity workflow';
  const of = (which: 'broker' | 'bare', figure: keyof Figures): number => median(measured.map((each) => each[which][figure]));
  return [
    row({
      case: name,
      metric: 'reservations',
      unit: '/s',
      ours: of('broker', 'perSecond'),
      peer: of('bare', 'perSecond'),
      peerName,
      goal: { comparison: '>=', limit: 0.8 },
    }),
    row({ case: name, metric: 'P99', unit: 'ms', ours: of('broker', 'p99Milliseconds'), peer: of('bare', 'p99Milliseconds'), peerName }),
  ];
}
