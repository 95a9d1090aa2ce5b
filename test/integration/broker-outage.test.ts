/** A store behind a fabric stops answering and comes back: its windows stop and begin again by themselves, on the real gateways. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { writeCheckpoint } from '../../dev/job/job.ts';
import { brokerWorkflowId } from '../../model/broker.ts';
import { eventsOf, scheduled } from '../support/histories.ts';
import { allocationInput, CHECKPOINT_FILES, datasetFiles, keyOf, NODE, runJob, seedDataset, untilPhase } from '../support/scenario.ts';
import { startTestSite, type TestSite } from '../support/site.ts';
import { eventually } from '../support/wait.ts';

describe('a store that is out', { concurrency: false }, () => {
  let site: TestSite;
  const key = keyOf('drained');
  before(async () => {
    const every = { capacity: '1GB/s', leaseSeconds: 2 };
    site = await startTestSite({ fabrics: { east: { ...every, drains: ['r01'] }, front: { ...every, capacity: '10MB/s', stages: true } } });
    for (const fabric of ['east', 'front'])
      await eventually(`${fabric} to be open`, async () => ((await site.penstock.brokers.show(fabric)).state === 'open' ? true : undefined));
    await seedDataset(site.stores.warm, datasetFiles(5, 1000));
    await site.penstock.submit(allocationInput('drained'));
    await untilPhase(site, key, 'ready');
  });
  after(() => site.stop());

  const outagesOf = async (fabric: string) => (await site.penstock.brokers.show(fabric)).outages ?? [];
  const drained = async (count: number) =>
    eventually(`${count} to be drained`, async () => ((await site.penstock.status(key)).checkpointCounts.drained === count ? true : undefined), 120_000);

  test('the racks stand still: their drains wait without one of them asking, and end when the racks answer again', async () => {
    const { brokers } = site.penstock;
    const gateway = site.running.service('s3-racks');
    await brokers.pause('east');
    await runJob(site, key, await site.penstock.assignNodes(key, { nodes: [NODE] }), 'step-1');
    await writeCheckpoint(await site.penstock.reserveCheckpoint(key, { checkpointId: 'step-2', bytes: '10MB' }), CHECKPOINT_FILES);
    await site.penstock.commitCheckpoint(key, { checkpointId: 'step-2' });
    await eventually('both to wait', async () => ((await brokers.show('east')).waiting.length === 2 ? true : undefined));
    await gateway.kill('SIGSTOP');
    try {
      await brokers.resume('east');
      const [outage] = await eventually(
        'the outage to be seen',
        async () => {
          const outages = await outagesOf('east');
          return outages.length > 0 ? outages : undefined;
        },
        120_000,
      );
      assert.deepEqual([outage?.store, outage?.answersSince], ['racks', undefined]);
      assert.match(outage?.why ?? '', /0 of 20 racks answer, a write needs 16/);
      // Nobody sends, and each has its place.
      await eventually(
        'both to wait again',
        async () => {
          const { waiting, holders } = await brokers.show('east');
          return waiting.length === 2 && holders.length === 0 ? true : undefined;
        },
        60_000,
      );
    } finally {
      await gateway.kill('SIGCONT');
    }
    await drained(2);
    assert.deepEqual(
      (await brokers.show('east')).classes.filter(({ holding, waiting }) => holding + waiting > 0),
      [],
    );
    // One question that confirms, and one that the server repeats.
    assert.ok(scheduled(await eventsOf(site.temporal, brokerWorkflowId('east')), 'askStore').length <= 4);
  });

  test('an operator’s own pause outlasts it', async () => {
    const { brokers } = site.penstock;
    const gateway = site.running.service('s3-racks');
    await brokers.pause('east');
    await writeCheckpoint(await site.penstock.reserveCheckpoint(key, { checkpointId: 'step-3', bytes: '10MB' }), CHECKPOINT_FILES);
    await site.penstock.commitCheckpoint(key, { checkpointId: 'step-3' });
    await eventually('its drain to wait', async () => ((await brokers.show('east')).waiting.length === 1 ? true : undefined));
    await gateway.kill('SIGKILL');
    await brokers.resume('east');
    await eventually(
      'the outage to be seen',
      async () => ((await outagesOf('east')).some((each) => each.answersSince === undefined) ? true : undefined),
      120_000,
    );
    await brokers.pause('east');
    await gateway.restart();
    await eventually(
      'the racks to answer',
      async () => ((await outagesOf('east')).every((each) => each.answersSince !== undefined) ? true : undefined),
      90_000,
    );
    const { state, pausedSince, holders } = await brokers.show('east');
    assert.deepEqual([state, holders, typeof pausedSince], ['paused', [], 'string']);
    await brokers.resume('east');
    await drained(3);
  });

  test('the source of what is staged is gone, and staging ends by itself once it is back', async () => {
    const { brokers } = site.penstock;
    const gateway = site.running.service('s3-warm');
    await seedDataset(site.stores.warm, datasetFiles(200, 100_000, 'cut'), 'training-data', 'cut/');
    await site.penstock.submit(allocationInput('cut', { data: { mounts: [{ source: 's3://training-data/cut', target: '/data' }] } }));
    await eventually('staging to hold a window', async () => ((await brokers.show('front')).holders.length > 0 ? true : undefined));
    await gateway.kill('SIGKILL');
    const [outage] = await eventually(
      'the outage to be seen',
      async () => {
        const outages = await outagesOf('front');
        return outages.length > 0 ? outages : undefined;
      },
      120_000,
    );
    assert.equal(outage?.store, 'warm');
    await gateway.restart();
    await eventually('it to be ready', async () => ((await site.penstock.readiness(keyOf('cut'))).readiness === 1 ? true : undefined), 120_000);
  });
});
