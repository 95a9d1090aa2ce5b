/** Temporal as the site needs it: reachable, with its namespace, its search attributes, and workers that poll. */
import { Connection } from '@temporalio/client';
import { createProber, expect, type ProbeResult } from '../../drivers/probes/probe.ts';
import { messageOf } from '../../model/errors.ts';
import { CONTROL_QUEUE, DATA_QUEUE, ERASURE_QUEUE, LOGS_QUEUE } from '../../model/identifiers.ts';
import type { Site } from '../../model/site.ts';
import { idleQueues, type QueuePollers } from './live-pollers.ts';

/** temporal.api.enums.v1.TaskQueueType, whose package is no dependency of ours. */
const ACTIVITY_QUEUE = 2;

export async function probeTemporal({ temporal, nodes }: Site): Promise<readonly ProbeResult[]> {
  const { address, namespace, searchAttributes } = temporal;
  const prober = createProber('temporal');
  let connection: Connection | undefined;
  await prober.needed('reachable', async () => {
    connection = await Connection.connect({ address, connectTimeout: 5000 }).catch((error: unknown) => {
      throw new Error(`nothing answers at ${address}: ${messageOf(error)}`);
    });
    const info = await connection.workflowService.getSystemInfo({});
    return `server ${info.serverVersion ?? 'of unknown version'} at ${address}`;
  });
  if (!connection) return prober.results;
  const { workflowService, operatorService } = connection;
  try {
    await prober.needed(`namespace ${namespace}`, async () => {
      await workflowService.describeNamespace({ namespace });
      return 'it is there';
    });
    await prober.needed('search attributes', async () => {
      const { customAttributes } = await operatorService.listSearchAttributes({ namespace });
      const missing = Object.keys(searchAttributes).filter((name) => !(name in customAttributes));
      expect(missing.length === 0, `missing: ${missing.join(', ')}`);
      return Object.keys(searchAttributes).join(', ');
    });
    const queues = [CONTROL_QUEUE, DATA_QUEUE, ERASURE_QUEUE, LOGS_QUEUE, ...nodes.map(({ id }) => `node-${id}`)];
    await prober.needed('workers poll', async () => {
      const described: QueuePollers[] = [];
      for (const queue of queues) {
        const { pollers } = await workflowService.describeTaskQueue({ namespace, taskQueue: { name: queue }, taskQueueType: ACTIVITY_QUEUE });
        described.push({ queue, pollers: pollers ?? [] });
      }
      const idle = idleQueues(described, Date.now());
      expect(idle.length === 0, `start the workers: nobody polls ${idle.join(', ')}`);
      return `${queues.length} queues have a poller`;
    });
  } finally {
    await connection.close();
  }
  return prober.results;
}
