/** Output that a site archives in packs, and what of it is brought back: on a real site whose cold store restores in seconds. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { parse } from 'yaml';
import { readManifestPage } from '../../datapath/transfer/manifest-store.ts';
import { createObjectEndpoint } from '../../datapath/transfer/object-endpoint.ts';
import type { Access } from '../../dev/cold-tier-emulator/emulator.ts';
import { seededBytes, writeOutput } from '../../dev/job/job.ts';
import { OUTPUT_RECORD, OutputRecordSchema } from '../../model/output-record.ts';
import { RetentionReportSchema } from '../../model/retention-report.ts';
import { commandLine } from '../support/command-line.ts';
import { allocationInput, keyOf, PLAIN_NODE, untilPhase } from '../support/scenario.ts';
import { startTestSite, type TestSite } from '../support/site.ts';
import { eventually } from '../support/wait.ts';

const PREFIX = 'vision/packed/';
const NAME = 'acme/vision/packed';
const FILES = new Map([
  ...Array.from({ length: 50 }, (_, index) => [`steps/${String(index).padStart(3, '0')}.json`, seededBytes(`step/${index}`, 2000 + 13 * index)] as const),
  ['with space/ünïcode %41.txt', Buffer.from('names are kept\n')] as const,
]);
const WANTED = 'steps/007.json';

describe('archived output', { concurrency: false }, () => {
  let site: TestSite;
  before(async () => {
    site = await startTestSite({ cold: { archive: { storageClass: 'GLACIER', firstLookSeconds: 0.5 } } });
    const key = keyOf('packed');
    await site.penstock.submit(allocationInput('packed', { data: { mounts: [] } }));
    await untilPhase(site, key, 'ready');
    const plan = await site.penstock.assignNodes(key, { nodes: [PLAIN_NODE] });
    await writeOutput(plan, site.stores.hotObjects, FILES);
    await site.penstock.finish(key, { outcome: 'succeeded' });
    await site.penstock.wait(key);
  });
  after(() => site.stop());

  const accesses = async (): Promise<Access[]> =>
    (await readFile(join(site.directory, 'logs', 'cold-tier-access.jsonl'), 'utf8').catch(() => ''))
      .split('\n')
      .filter((line) => line !== '')
      .map((line): Access => JSON.parse(line));
  const record = async () => OutputRecordSchema.parse(JSON.parse((await site.stores.cold.readBytes('acme', `${PREFIX}${OUTPUT_RECORD}`)).toString()));

  test('lies in one locked pack, its catalog and its record beside it, and was verified without a byte read', async () => {
    const { catalog, files } = await record();
    assert.ok(catalog);
    assert.equal(files, FILES.size);
    const { entries } = await site.stores.cold.list('acme', PREFIX);
    const packs = entries.filter(({ key }) => key.endsWith('.tar'));
    assert.equal(packs.length, 1);
    for (const { key } of entries) assert.equal((await site.stores.cold.retention('acme', key))?.mode, 'COMPLIANCE', key);
    assert.equal((await site.stores.coldTier.state('acme', packs[0]?.key ?? ''))?.kind, 'archived');
    assert.deepEqual(await accesses(), []);
    assert.equal((await createObjectEndpoint(site.stores.warm, 'acme', PREFIX).list()).entries.filter(({ path }) => !path.startsWith('logs/')).length, 0);
    const { status } = await site.temporal.workflow.getHandle(`retention/${NAME}`).describe();
    assert.equal(status.name, 'RUNNING');
  });

  test('gives one file back by its range alone, and stays where it is', async () => {
    const outcome = await commandLine(
      site,
      '-o',
      'yaml',
      'recall',
      'start',
      NAME,
      '--path',
      WANTED,
      '--tier',
      'expedited',
      '--to',
      'warm:acme/again/',
      '--wait',
    );
    assert.equal(outcome.code, 0, outcome.stderr);
    const result = parse(outcome.stdout);
    assert.deepEqual([result.state, result.files, result.objects, result.asked], ['complete', 1, 1, 1]);
    assert.match(outcome.stderr, /waiting: 0 of 1 files there, 1 of 1 objects being restored since .*expected by/);
    assert.deepEqual(await site.stores.warm.readBytes('acme', `again/${WANTED}`), FILES.get(WANTED));
    assert.equal((await site.stores.warm.list('acme', 'again/')).entries.length, 1);
    const { catalog } = await record();
    assert.ok(catalog);
    const { packed, bytes } = (await readManifestPage(site.stores.cold, catalog, 0)).find(({ path }) => path === WANTED) ?? {};
    assert.ok(packed && bytes);
    const seen = await accesses();
    assert.deepEqual(
      seen.map(({ operation, range }) => [operation, range]),
      [
        ['restore', undefined],
        ['read', `bytes ${packed.offset}-${packed.offset + bytes - 1}/${packed.bytes}`],
      ],
    );
  });

  test('gives all of it back, bytes equal, without asking for what is restored already', async () => {
    const before = (await accesses()).filter(({ operation }) => operation === 'restore').length;
    await site.penstock.recalls.start({ ...keyOf('packed'), recallId: 'all', tier: 'standard', target: { store: 'hot', bucket: 'acme', prefix: 'again/' } });
    const result = await site.penstock.recalls.wait({ ...keyOf('packed'), recallId: 'all' });
    await eventually('the recall to be found by its allocation', async () => {
      for await (const { workflowId } of site.temporal.workflow.list({ query: "WorkflowType = 'recall' AND allocationId = 'packed'" }))
        if (workflowId.endsWith('/all')) return true;
      return undefined;
    });
    assert.deepEqual([result.state, result.files, result.asked], ['complete', FILES.size, 0]);
    for (const [path, content] of FILES) assert.deepEqual(await readFile(join(site.stores.hotFiles.root, 'acme', 'again', path)), content, path);
    assert.equal((await accesses()).filter(({ operation }) => operation === 'restore').length, before);
  });

  test('is checked by its catalog, where it lies and where it was recalled to', async () => {
    const check = async (target: string, ...more: string[]) => {
      const manifest = `cold:acme/${PREFIX}.penstock/catalog/`;
      const { code, stdout, stderr } = await commandLine(site, '-o', 'yaml', 'check', '--manifest', manifest, '--target', target, '--extra', ...more);
      assert.equal(code, 0, stderr);
      return parse(stdout).counts;
    };
    const all = { same: FILES.size, sameSize: 0, missing: 0, extra: 0, differing: 0, unreadable: 0 };
    assert.deepEqual(await check(`cold:acme/${PREFIX}`), all);
    assert.deepEqual(await check(`cold:acme/${PREFIX}`, '--read', 'always'), all);
    assert.deepEqual(await check('hot:acme/again/', '--read', 'always'), all);
  });

  test('is attested without a byte read, and an object put in place of its pack is found', async () => {
    const report = async () => {
      const { code, stdout } = await commandLine(site, 'retention', 'report', NAME, '--read', '--json');
      const { look, objects } = RetentionReportSchema.parse(JSON.parse(stdout)).retentions[0] ?? {};
      return { code, findings: look?.findings ?? [], paths: (objects ?? []).map(({ path }) => path) };
    };
    const reads = (await accesses()).length;
    const sound = await report();
    assert.deepEqual([sound.code, sound.findings], [0, []]);
    const pack = sound.paths.find((path) => path.endsWith('.tar')) ?? '';
    assert.equal((await accesses()).length, reads);

    const { bytes = 0 } = (await site.stores.cold.head('acme', `${PREFIX}${pack}`)) ?? {};
    await site.stores.cold.writeBytes('acme', `${PREFIX}${pack}`, Buffer.alloc(bytes), { storageClass: 'GLACIER' });
    const { code, findings } = await report();
    assert.equal(code, 8);
    assert.deepEqual(
      findings.map(({ kind, path }) => [kind, path]),
      [['overwritten', pack]],
    );
  });

  test('of which there is no such path, or no such tier, is refused with what there is', async () => {
    const missing = await commandLine(site, 'recall', 'start', NAME, '--path', 'steps/7', '--to', 'warm:acme/again/', '--wait');
    assert.match(missing.stderr, /nothing of the path "steps\/7"/);
    const nobody = await commandLine(site, 'recall', 'start', 'acme/vision/nobody', '--wait');
    assert.match(nobody.stderr, /holds no archived output/);
  });
});
