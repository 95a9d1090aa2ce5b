/** What is said of a transfer that does not move, or is ended: a store hangs, a limit of 0 holds it, its mover is killed, a person cancels it. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { transferLine } from '../../model/transfer-details.ts';
import type { TransferStatus } from '../../model/transfer-input.ts';
import { objectDigests } from '../support/facts.ts';
import { datasetFiles, seedDataset } from '../support/scenario.ts';
import { startTestSite, type TestSite } from '../support/site.ts';
import { eventually } from '../support/wait.ts';

const FILE_BYTES = 200_000;
const dataset = datasetFiles(80, FILE_BYTES, 'stalled');

describe('a transfer that does not move', { concurrency: false }, () => {
  let site: TestSite;
  before(async () => {
    site = await startTestSite({ policies: { largeFile: '32MiB' } });
    await seedDataset(site.stores.warm, dataset, 'team-a', 'data/');
    await site.stores.cold.ensureBucket('team-a');
  });
  after(() => site.stop());

  const start = (transferId: string, prefix = 'data/', bytesPerSecond = '300kB/s') =>
    site.penstock.transfers.start({
      transferId,
      source: { store: 'warm', bucket: 'team-a', prefix },
      target: { store: 'cold', bucket: 'team-a', prefix: `${transferId}/` },
      bytesPerSecond,
    });
  const status = () => site.penstock.transfers.status('stalled');
  const toShow = (what: string, line: RegExp): Promise<TransferStatus> =>
    eventually(what, async () => {
      const now = await status();
      if (!line.test(transferLine(now))) throw new Error(transferLine(now));
      return now;
    });
  const moving = () => toShow('a rate and an end in sight', / at \d+ kB\/s, about \d+ s to go$/);

  test('shows a rate near its limit while it moves', async () => {
    await start('stalled');
    const { bytesPerSecond } = await moving();
    assert.ok(bytesPerSecond > 100_000 && bytesPerSecond < 600_000, `${bytesPerSecond} B/s`);
  });

  test('shows rate 0 and no end in sight while a store hangs', async () => {
    await site.running.service('s3-cold').kill('SIGSTOP');
    const hanging = await toShow('no rate', /, rate 0$/);
    assert.deepEqual([hanging.bytesPerSecond, hanging.etaSeconds, hanging.quietSeconds], [0, undefined, undefined]);
    await site.running.service('s3-cold').kill('SIGCONT');
    await moving();
  });

  test('says at once that its limit holds it, and the workflow itself knows how far it is', async () => {
    await site.penstock.transfers.setRate('stalled', { bytesPerSecond: 0 });
    const stopped = await status();
    assert.match(transferLine(stopped), /MB, stopped by its limit$/);
    assert.deepEqual([stopped.bytesPerSecond, stopped.etaSeconds], [0, undefined]);
    const told = await eventually('a report to the workflow', async () => {
      const known = await site.temporal.workflow.getHandle('transfer/stalled').query<TransferStatus>('transferStatus');
      return known.doneBytes > 0 ? known : undefined;
    });
    assert.deepEqual([told.units, told.bytesPerSecond, told.etaSeconds], [1, 0, undefined]);
    await site.penstock.transfers.setRate('stalled', { bytesPerSecond: '300kB/s' });
    await moving();
  });

  test('says that there is no news once its mover is dead, and how long', async () => {
    await site.running.service('worker-data').kill('SIGKILL');
    const dead = await toShow('no news', /, rate 0, no news for \d+ s$/);
    assert.deepEqual([dead.bytesPerSecond, dead.etaSeconds], [0, undefined]);
    await site.running.service('worker-data').restart();
    await moving();
    await site.penstock.transfers.setRate('stalled', { bytesPerSecond: null });
    assert.equal((await site.penstock.transfers.wait('stalled')).state, 'complete');
  });

  test('cancelled in its only unit, it names exactly what lies at the target', async () => {
    await start('ended');
    const at = () => objectDigests(site.stores.cold, 'team-a', 'ended/');
    await eventually('some files to arrive', async () => (await at()).size >= 5 || undefined);
    const ended = await site.penstock.transfers.cancel('ended');
    const files = (await at()).size;
    assert.ok(files < dataset.size);
    assert.deepEqual([ended.state, ended.doneFiles, ended.doneBytes], ['cancelled', files, files * FILE_BYTES]);
    assert.match(ended.reason?.message ?? '', new RegExp(`^${files} files, .* are moved and stay at the target; nothing unfinished is left\\.`));
  });

  test('cancelled in many units, it counts none of the shares that are given back', async () => {
    await seedDataset(site.stores.warm, datasetFiles(10, FILE_BYTES, 'small'), 'team-a', 'mixed/');
    await site.stores.warm.writeBytes('team-a', 'mixed/large', Buffer.alloc(200 * 2 ** 20, 'large'));
    await start('mixed', 'mixed/', '20MB/s');
    const units = await eventually('a share to be moved', async () => {
      const now = await site.penstock.transfers.status('mixed');
      return now.settledBytes > 20e6 ? now.units : undefined;
    });
    assert.ok(units > 2, `${units} units`);
    const ended = await site.penstock.transfers.cancel('mixed');
    const files = (await objectDigests(site.stores.cold, 'team-a', 'mixed/')).size;
    assert.deepEqual([ended.state, files, ended.doneFiles, ended.doneBytes], ['cancelled', 10, 10, 10 * FILE_BYTES]);
    assert.match(ended.reason?.message ?? '', /^10 files, 2\.0 MB, are moved and stay at the target; nothing unfinished is left\./);
  });
});
