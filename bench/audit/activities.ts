/** What being on record costs an activity that does nothing: the same workflows on a worker with the audit log and on one without, in turns, over one site. */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client, Connection } from '@temporalio/client';
import { NativeConnection, Worker } from '@temporalio/worker';
import { sealUntil } from '../../activities/audit-seal.ts';
import { startSite } from '../../dev/site/start-site.ts';
import { openStores } from '../../drivers/open-site.ts';
import { auditInterceptors } from '../../workers/audit.ts';
import type { BenchContext } from '../harness/bench.ts';
import { median, type Row, row } from '../harness/rows.ts';

const ALONE = { workflows: 1, activities: 100 };
const TOGETHER = { workflows: 50, activities: 10 };
const RUNS = { full: 5, quick: 2 };

export async function benchActivities({ options, workspace, log: say }: BenchContext): Promise<Row[]> {
  const directory = await workspace.directory('/tmp');
  const running = await startSite({
    configFile: 'temporal-dev.yaml',
    directory: join(directory, 'site'),
    services: ['temporal', 's3', 'hot-tier'],
    log: () => undefined,
  });
  workspace.onLeave(() => running.stop());
  const stores = await openStores(running.site);
  const { address, namespace } = running.site.temporal;
  const [connection, native] = await Promise.all([Connection.connect({ address }), NativeConnection.connect({ address })]);
  const client = new Client({ connection, namespace });
  const workerOn = async (taskQueue: string, interceptors: Awaited<ReturnType<typeof auditInterceptors>>) =>
    await Worker.create({
      connection: native,
      namespace,
      taskQueue,
      interceptors,
      workflowsPath: fileURLToPath(new URL('bare-workflows.ts', import.meta.url)),
      activities: { survey: () => Promise.resolve() },
    });
  const ending = new AbortController();
  const sealing = sealUntil(stores, { signal: ending.signal, onError: (error) => say(String(error)) });
  const workers = await Promise.all([workerOn('audited', await auditInterceptors(stores, 'data', () => undefined)), workerOn('plain', { activity: [] })]);
  const ended = workers.map((worker) => worker.run());
  /** @returns seconds */
  const take = async (queue: string, { workflows, activities }: typeof ALONE, run: number): Promise<number> => {
    const startedAt = performance.now();
    const one = (number: number) =>
      client.workflow.execute('surveys', { workflowId: `${queue}/${workflows}/${run}/${number}`, taskQueue: queue, args: [activities] });
    await Promise.all(Array.from({ length: workflows }, (_, number) => one(number)));
    return (performance.now() - startedAt) / 1000;
  };
  try {
    const rows: Row[] = [];
    for (const shape of [ALONE, TOGETHER]) {
      const seconds: Record<'audited' | 'plain', number[]> = { audited: [], plain: [] };
      for (let run = 0; run < (options.runs ?? (options.quick ? RUNS.quick : RUNS.full)); run += 1)
        for (const queue of ['plain', 'audited'] as const) seconds[queue].push(await take(queue, shape, run));
      const [ours, peer] = [median(seconds.audited), median(seconds.plain)];
      const count = shape.workflows * shape.activities;
      say(`${shape.workflows} workflows: ${(count / ours).toFixed(0)} activities/s on record, ${(count / peer).toFixed(0)} without`);
      const common = { case: `activities/${shape.activities} in each of ${shape.workflows} workflows`, peerName: 'without the audit log' };
      rows.push(row({ ...common, metric: 'activities', unit: '/s', ours: count / ours, peer: count / peer }));
      if (shape === ALONE) rows.push(row({ ...common, metric: 'time of one', unit: 'ms', ours: (ours / count) * 1000, peer: (peer / count) * 1000 }));
    }
    return rows;
  } finally {
    for (const worker of workers) worker.shutdown();
    await Promise.all(ended);
    ending.abort();
    await sealing;
    await connection.close();
    await native.close();
    await running.stop();
  }
}
