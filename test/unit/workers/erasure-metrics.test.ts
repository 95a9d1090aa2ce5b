import assert from 'node:assert/strict';
import { it } from 'node:test';
import { DefaultLogger, Runtime } from '@temporalio/worker';
import { freePort, LOOPBACK } from '../../../dev/site/ports.ts';
import { loadSiteFile } from '../../../drivers/site-file.ts';
import { SYSTEM_BUCKET } from '../../../model/location.ts';
import { REPAIR_LATER, REPAIR_QUEUE } from '../../../model/repair.ts';
import { newScrub, type ScrubProgress, withObject } from '../../../model/scrub.ts';
import { recordErasure, watchErasure } from '../../../workers/erasure-metrics.ts';
import { eventually } from '../../support/wait.ts';
import { recordingStores } from '../cli/recording-stores.ts';
import { siteFile } from '../cli/support.ts';

const STARTED = '2026-11-21T08:00:00.000Z';
const object = { key: 'zz', storedBytes: 1_000, problems: [] };

it('a worker that has just begun tells Prometheus what is on record of the last scrub and of repairs, and follows it', async () => {
  const complete: ScrubProgress = { ...withObject(newScrub('one', STARTED, undefined), { ...object, margin: 3 }), state: 'complete' };
  let record: ScrubProgress = newScrub('first', STARTED, undefined);
  const warm = { [SYSTEM_BUCKET]: { [`${REPAIR_QUEUE}17/${'0'.repeat(40)}.5.json`]: 1, [`${REPAIR_LATER}17/${'1'.repeat(40)}.5.json`]: 1 } };
  const { stores } = recordingStores(await loadSiteFile(siteFile), { warm });
  const site = { ...stores, warm: { ...stores.warm, readBytes: () => Promise.resolve(Buffer.from(JSON.stringify(record))) } };
  const address = `${LOOPBACK}:${await freePort()}`;
  const runtime = Runtime.install({ logger: new DefaultLogger('ERROR'), telemetryOptions: { metrics: { prometheus: { bindAddress: address } } } });
  const served = async (): Promise<string> => await (await fetch(`http://${address}/metrics`)).text();
  try {
    const stop = watchErasure(runtime.metricMeter, site, (error) => assert.fail(String(error)));
    const first = await eventually('the first look', async () => {
      const text = await served();
      return text.includes('penstock_erasure_scrubbed_bytes') ? text : undefined;
    });
    stop();
    assert.match(first, /^penstock_erasure_repairs\{.*state="due".*\} 1$/m);
    assert.match(first, /^penstock_erasure_repairs\{.*state="put-off".*\} 1$/m);
    assert.doesNotMatch(first, /penstock_erasure_scrub_share/, 'of the first scrub nobody knows it');
    assert.doesNotMatch(first, /penstock_erasure_objects/);

    record = complete;
    await recordErasure(runtime.metricMeter, site);
    assert.match(await served(), /^penstock_erasure_objects\{.*class="other",margin="3".*\} 1$/m);

    record = { ...withObject(newScrub('two', STARTED, complete), { ...object, storedBytes: 500, margin: 4 }) };
    await recordErasure(runtime.metricMeter, site);
    assert.match(await served(), /^penstock_erasure_scrub_share(\{.*\})? 0\.5$/m);
    assert.match(await served(), /^penstock_erasure_objects\{.*class="other",margin="3".*\} 1$/m);

    record = { ...record, state: 'complete' };
    await recordErasure(runtime.metricMeter, site);
    assert.match(await served(), /^penstock_erasure_objects\{.*class="other",margin="3".*\} 0$/m, 'nothing stale is left');
    assert.match(await served(), /^penstock_erasure_objects\{.*class="other",margin="4".*\} 1$/m);
  } finally {
    await runtime.shutdown();
  }
});
