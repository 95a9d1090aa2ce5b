/** The `penstock` command as an operator and a scheduler's script use it, against a real site. */
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { parse } from 'yaml';
import { writeCheckpoint } from '../../dev/job/job.ts';
import type { CheckpointReservation } from '../../model/checkpoint.ts';
import { commandLine } from '../support/command-line.ts';
import { CHECKPOINT_FILES, datasetFiles, seedDataset } from '../support/scenario.ts';
import { startTestSite, type TestSite } from '../support/site.ts';

describe('penstock, the command', { concurrency: false }, () => {
  let site: TestSite;
  let file: string;
  const name = 'acme/vision/by-hand';

  const penstock = (...args: string[]) => commandLine(site, ...args);
  const succeed = async (...args: string[]): Promise<string> => {
    const outcome = await penstock(...args);
    assert.equal(outcome.code, 0, `${args.join(' ')}: ${outcome.stderr}`);
    return outcome.stdout;
  };

  before(async () => {
    site = await startTestSite();
    await seedDataset(site.stores.warm, datasetFiles(20, 1000));
    file = join(site.directory, 'by-hand.yaml');
    const example = await readFile('examples/allocation.yaml', 'utf8');
    await writeFile(
      file,
      example.replaceAll(/allocationId: .*/g, 'allocationId: by-hand').replaceAll(/s3:\/\/training-data\/[\w-]+/g, 's3://training-data/imagenet'),
    );
  });
  after(() => site.stop());

  test('doctor finds by effect that the site can do what its policies need', async () => {
    const probes: { ability: string; result: string; needed: boolean }[] = parse(await succeed('-o', 'yaml', 'doctor'));
    assert.ok(probes.length > 30);
    assert.deepEqual(
      probes.filter((probe) => probe.needed && probe.result !== 'yes'),
      [],
    );
  });

  test('plan shows the calls and moves, with sizes from the stores, and changes nothing', async () => {
    const before = await site.stores.hot.capacity();
    const plan = await succeed('allocation', 'plan', file);
    for (const step of ['hot.reserve', 'hot.createExport', 'hot.setQos', 'hot.createSnapshot', '20 files'])
      assert.ok(plan.includes(step), `${step} in\n${plan}`);
    assert.deepEqual(await site.stores.hot.capacity(), before);
    assert.equal((await penstock('allocation', 'status', name)).code, 3);
  });

  test('an allocation is led from submit to release', async () => {
    await succeed('allocation', 'submit', file);
    await succeed('allocation', 'submit', file);
    await succeed('allocation', 'wait', name, '--until', 'ready', '--timeout', '60');
    assert.equal(JSON.parse(await succeed('-o', 'json', 'allocation', 'readiness', name)).readiness, 1);
    const plan = JSON.parse(await succeed('-o', 'json', 'allocation', 'assign', name, '--node', 'n001'));
    assert.equal(plan.scratch[0].kind, 'nvme');
    const reservation: CheckpointReservation = JSON.parse(
      await succeed('-o', 'json', 'allocation', 'checkpoint', 'reserve', name, 'step-1', '--bytes', '10MB'),
    );
    await writeCheckpoint(reservation, CHECKPOINT_FILES);
    await succeed('allocation', 'checkpoint', 'commit', name, 'step-1');
    await succeed('allocation', 'finish', name, '--outcome', 'succeeded');
    await succeed('allocation', 'wait', name, '--timeout', '60');
    const status = JSON.parse(await succeed('-o', 'json', 'allocation', 'status', name));
    assert.deepEqual([status.phase, status.checkpointCounts.drained], ['released', 1]);
    assert.match(await succeed('allocation', 'checkpoint', 'restore', name, 'step-1'), /3/);
  });

  test('refusals have their exit codes and say what would be accepted, on stderr', async () => {
    const bad = join(site.directory, 'bad.yaml');
    await writeFile(bad, 'tenant: acme\nproject: vision\nallocationId: bad\nuser: ada\nwalltimeSeconds: soon\n');
    const refused = await penstock('allocation', 'submit', bad);
    assert.deepEqual([refused.code, refused.stdout], [1, '']);
    assert.match(refused.stderr, /walltimeSeconds: found "soon"; accepted: /);
    assert.equal((await penstock('allocation', 'cancel', name, '--mode', 'later', '--reason', 'x')).code, 2);
    assert.equal((await penstock('allocation', 'status', 'acme/vision/nobody')).code, 3);
  });
});
