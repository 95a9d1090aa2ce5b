/** Logs shipped while a job runs, by workers that are killed: asserted on what `penstock logs` reads, and on the store. */
import assert from 'node:assert/strict';
import { appendFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { logPlaceOf, readLogs } from '../../activities/log-reading.ts';
import type { MountPlan } from '../../client/index.ts';
import { readLogMetadata } from '../../datapath/logs/read-logs.ts';
import { followLogsWorkflowId } from '../../model/identifiers.ts';
import { commandLine } from '../support/command-line.ts';
import { allocationInput, keyOf, NODE, PLAIN_NODE, seedDataset, untilPhase } from '../support/scenario.ts';
import { startTestSite, type TestSite } from '../support/site.ts';
import { eventually } from '../support/wait.ts';

const NODES = [NODE, PLAIN_NODE];
const key = keyOf('followed');
const NAME = 'acme/vision/followed';

describe('the logs of a running job', { concurrency: false }, () => {
  let site: TestSite;
  let plan: MountPlan;
  const written = new Map(NODES.map(({ nodeId }) => [nodeId, '']));
  const logOf = (nodeId: string) => join(plan.scratch.find((each) => each.nodeId === nodeId)?.logSpool ?? assert.fail(), 'stdout.log');

  before(async () => {
    site = await startTestSite({ logs: { chunkSeconds: 1, chunkBytes: '4KiB' } });
    await seedDataset(site.stores.warm, new Map([['one.bin', Buffer.from('one')]]));
    await site.penstock.submit(allocationInput(key.allocationId));
    await untilPhase(site, key, 'ready');
    plan = await site.penstock.assignNodes(key, { nodes: NODES });
  });
  after(() => site.stop());

  const write = async (label: string) => {
    for (const { nodeId } of NODES) {
      const lines = Array.from({ length: 100 }, (_, line) => `${nodeId} ${label} ${line} ${'.'.repeat(80)}\n`).join('');
      await appendFile(logOf(nodeId), lines);
      written.set(nodeId, `${written.get(nodeId)}${lines}`);
    }
  };
  const readBack = (nodeId: string, ...more: string[]) => commandLine(site, 'logs', NAME, '--node', nodeId, ...more);
  const shipped = async (nodeId: string) => {
    const query = { nodeId, stream: 'stdout', isOver: async () => false, wait: async () => undefined } as const;
    let text = '';
    for await (const piece of readLogs(site.stores, key, query)) text += piece.kind === 'bytes' ? piece.bytes.toString('latin1') : piece.text;
    return text;
  };
  const untilShipped = (nodeId: string) =>
    eventually(`all of ${nodeId} to be shipped`, async () => {
      const text = await shipped(nodeId);
      if (text === written.get(nodeId)) return true;
      throw new Error(`${text.length} of ${written.get(nodeId)?.length} bytes`);
    });

  test('are read in ranges before it ends', async () => {
    await write('first');
    await untilShipped('n002');
    const range = await readBack('n002', '--bytes', '5000-5099');
    assert.deepEqual([range.code, range.stdout], [0, written.get('n002')?.slice(5000, 5100)]);
    const open = await eventually('metadata.json to name both nodes', async () => {
      const metadata = await readLogMetadata(logPlaceOf(site.stores, key));
      return metadata.nodes.every(({ streams }) => streams.length > 0) ? metadata : undefined;
    });
    assert.ok(open.openAt, 'they are not closed');
    const unknown = await readBack('n009');
    assert.deepEqual([unknown.code, unknown.stderr], [3, 'NotFound: warm: node: found n009; accepted: n001, n002.\n']);
  });

  test('are shipped once where the worker was killed and the log rotated meanwhile', async () => {
    await site.running.service('worker-data').kill('SIGKILL');
    await write('while nobody follows');
    await rename(logOf('n001'), `${logOf('n001')}.1`);
    await write('after the rotation');
    await site.running.service('worker-data').restart();
    await untilShipped('n001');
    await write('at the end');
  });

  test('are whole when it is over, every byte once, and nobody follows them any more', async () => {
    const following = commandLine(site, 'logs', NAME, '--node', 'n001', '--follow');
    await site.penstock.finish(key, { outcome: 'succeeded' });
    await site.penstock.wait(key);
    for (const { nodeId } of NODES) assert.equal(await shipped(nodeId), written.get(nodeId));
    assert.deepEqual(await following, { code: 0, stdout: written.get('n001'), stderr: '' });
    const { nodes, openAt } = await readLogMetadata(logPlaceOf(site.stores, key));
    assert.equal(openAt, undefined);
    assert.deepEqual(
      nodes.map(({ nodeId, missing }) => [nodeId, missing]),
      [
        ['n001', undefined],
        ['n002', undefined],
      ],
    );
    const handle = site.temporal.workflow.getHandle(followLogsWorkflowId(key));
    await eventually('the follower to end', async () => (await handle.describe()).status.name === 'COMPLETED' || undefined);
    const { events } = await handle.fetchHistory();
    assert.ok((events?.length ?? 0) <= 20, `${events?.length} events`);
  });
});
