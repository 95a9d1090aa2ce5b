/** What an allocation costs in history: the same for 10 and for 10,000 files. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { AllocationKey } from '../../client/index.ts';
import { allocationWorkflowId } from '../../model/identifiers.ts';
import { allocationInput, datasetFiles, keyOf, NODE, runJob, seedDataset, untilPhase } from '../support/scenario.ts';
import { startTestSite, type TestSite } from '../support/site.ts';

const MAX_ACTIVITIES = 40;
const MAX_EVENTS = 420;
const PAYLOAD_LIMIT_BYTES = 64 * 1024;

describe('the cost of a lifecycle', { concurrency: false }, () => {
  let site: TestSite;
  before(async () => {
    site = await startTestSite();
  });
  after(() => site.stop());

  for (const files of [10, 10_000]) {
    test(`two mounts of ${files} files and one checkpoint: at most ${MAX_ACTIVITIES} activities, ${MAX_EVENTS} events`, async () => {
      const dataset = datasetFiles(files / 2, 100, `cost-${files}`);
      for (const part of ['a', 'b']) await seedDataset(site.stores.warm, dataset, 'training-data', `cost-${files}-${part}/`);
      const key = keyOf(`cost-${files}`);
      await site.penstock.submit(
        allocationInput(key.allocationId, {
          data: {
            mounts: ['a', 'b'].map((part) => ({ source: `s3://training-data/cost-${files}-${part}`, target: `/data/${part}` })),
            scratch_per_node: '1MB',
          },
        }),
      );
      const ready = await untilPhase(site, key, 'ready', 180_000);
      assert.equal(ready.readiness.files, files);
      await runJob(site, key, await site.penstock.assignNodes(key, { nodes: [NODE] }));
      await site.penstock.finish(key, { outcome: 'succeeded' });
      await site.penstock.wait(key);
      const { events, activities, largestPayloadBytes } = await costOf(key);
      assert.ok(activities <= MAX_ACTIVITIES, `${activities} activities`);
      assert.ok(events <= MAX_EVENTS, `${events} events`);
      assert.ok(largestPayloadBytes <= PAYLOAD_LIMIT_BYTES, `a payload of ${largestPayloadBytes} bytes`);
      process.stdout.write(`# ${files} files: ${activities} activities, ${events} events, largest event ${largestPayloadBytes} bytes\n`);
    });
  }

  async function costOf(key: AllocationKey): Promise<{ events: number; activities: number; largestPayloadBytes: number }> {
    const suffix = allocationWorkflowId(key).slice('allocation/'.length);
    const ids = [
      `allocation/${suffix}`,
      `prestage/${suffix}/1`,
      `follow-logs/${suffix}`,
      `logs/${suffix}`,
      `demote/${suffix}/hot-to-warm`,
      `demote/${suffix}/warm-to-cold`,
      `drain/${suffix}/step-100`,
      `retention/${suffix}`,
    ];
    let [events, activities, largestPayloadBytes] = [0, 0, 0];
    for (const id of ids) {
      const history = await site.temporal.workflow.getHandle(id).fetchHistory();
      events += history.events?.length ?? 0;
      activities += history.events?.filter((event) => event.activityTaskScheduledEventAttributes).length ?? 0;
      largestPayloadBytes = Math.max(largestPayloadBytes, ...(history.events ?? []).map((event) => JSON.stringify(event).length));
    }
    return { events, activities, largestPayloadBytes };
  }
});
