/** Ad hoc transfers on a whole site: what arrives, what a limit stops, what a cancel leaves, and what a check finds afterwards. */
import assert from 'node:assert/strict';
import { mkdir, readlink, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { TransferInput } from '../../client/index.ts';
import { digestsOf, objectDigests, sorted, treeDigests } from '../support/facts.ts';
import { datasetFiles, seedDataset } from '../support/scenario.ts';
import { startTestSite, type TestSite } from '../support/site.ts';
import { eventually } from '../support/wait.ts';

const dataset = datasetFiles(40, 20_000, 'transfers');
const at = (store: string, bucket: string, prefix: string) => ({ store, bucket, prefix });

describe('ad hoc transfers', { concurrency: false }, () => {
  let site: TestSite;
  before(async () => {
    site = await startTestSite({ external: { attic: { driver: 'posix', root: 'attic' } } });
    await seedDataset(site.stores.warm, dataset, 'team-a', 'data/');
    await site.stores.cold.ensureBucket('team-a');
  });
  after(() => site.stop());

  const run = async (input: TransferInput) => {
    await site.penstock.transfers.start(input);
    return await site.penstock.transfers.wait(input.transferId);
  };
  const bytesAt = async (prefix: string): Promise<number> => (await objectDigests(site.stores.warm, 'team-a', prefix)).size;

  test('from store to store everything arrives as it is, and a check from the record finds it the same', async () => {
    const result = await run({ transferId: 'whole', source: at('warm', 'team-a', 'data/'), target: at('warm', 'team-a', 'copy/') });
    assert.deepEqual([result.state, result.files, result.bytes], ['complete', 40, 800_000]);
    assert.deepEqual(sorted(await objectDigests(site.stores.warm, 'team-a', 'copy/')), sorted(digestsOf(dataset)));
    const { moved } = result;
    assert.ok(moved);
    await site.penstock.checks.start({
      checkId: 'same',
      manifest: at(moved.store, moved.bucket, moved.prefix),
      target: at('warm', 'team-a', 'copy/'),
      read: 'always',
      extra: true,
    });
    const { counts, report } = await site.penstock.checks.wait('same');
    assert.deepEqual([counts, report], [{ same: 40, sameSize: 0, missing: 0, extra: 0, differing: 0, unreadable: 0 }, undefined]);
  });

  test('a check names what is missing, different and extra, shows the first and writes all', async () => {
    const { moved } = await site.penstock.transfers.status('whole');
    assert.ok(moved);
    const [first = '', second = ''] = [...dataset.keys()].sort();
    await site.stores.warm.remove('team-a', `copy/${first}`);
    await site.stores.warm.writeBytes('team-a', `copy/${second}`, Buffer.from('other'));
    await site.stores.warm.writeBytes('team-a', 'copy/zz-extra', Buffer.from('extra'));
    await site.penstock.checks.start({
      checkId: 'tampered',
      manifest: at(moved.store, moved.bucket, moved.prefix),
      target: at('warm', 'team-a', 'copy/'),
      extra: true,
    });
    const { counts, lines, report } = await site.penstock.checks.wait('tampered');
    assert.deepEqual([counts.same, counts.missing, counts.differing, counts.extra], [38, 1, 1, 1]);
    assert.deepEqual(lines, [`+ ${first}`, `* ${second}\t5 bytes instead of 20000`, '- zz-extra']);
    assert.ok(report);
    assert.equal((await site.stores.warm.readBytes(report.bucket, report.key)).toString(), `${lines.join('\n')}\n`);
  });

  test('an entry that lies at the target with other content stays, and makes the transfer partial; replace takes it', async () => {
    const [first = ''] = [...dataset.keys()].sort();
    await site.stores.warm.writeBytes('team-a', `taken/${first}`, Buffer.from('mine'));
    const places = { source: at('warm', 'team-a', 'data/'), target: at('warm', 'team-a', 'taken/') };
    const partial = await run({ transferId: 'partial', ...places });
    assert.deepEqual([partial.state, partial.files, partial.failed.map(({ path, type }) => [path, type])], ['partial', 39, [[first, 'Conflict']]]);
    assert.equal((await site.stores.warm.readBytes('team-a', `taken/${first}`)).toString(), 'mine');
    assert.equal((await run({ transferId: 'replacing', replace: true, ...places })).state, 'complete');
    assert.deepEqual(sorted(await objectDigests(site.stores.warm, 'team-a', 'taken/')), sorted(digestsOf(dataset)));
  });

  test('a bucket that does not exist is named before anything is listed, by a dry run too', async () => {
    const input = { transferId: 'nowhere', source: at('warm', 'team-a', 'data/'), target: at('cold', 'team-b', 'data/') };
    const named = { type: 'InvalidInput', message: /"team-b" does not exist in cold/ };
    await assert.rejects(site.penstock.transfers.plan(input), named);
    await assert.rejects(run(input), named);
  });

  test('a source that is not there, or is a single object or file, fails by its name instead of being complete; a dry run too', async () => {
    const target = at('warm', 'team-a', 'never/');
    const [first = ''] = [...dataset.keys()].sort();
    await mkdir(join(site.directory, 'attic', 'empty', 'below'), { recursive: true });
    await writeFile(join(site.directory, 'attic', 'empty', 'file'), 'one');
    const wrong: readonly [string, ReturnType<typeof at>, string, RegExp][] = [
      ['no-prefix', at('warm', 'team-a', 'dta/'), 'NotFound', /nothing lies below warm:team-a\/dta\/\. .*--allow-empty/],
      ['one-object', at('warm', 'team-a', `data/${first}`), 'InvalidInput', /: warm:team-a\/data\/.+ is one object; .* warm:team-a\/data\/.*\/, .*--exclude/],
      ['no-directory', at('attic', 'empty', 'beneath/'), 'NotFound', /there is no directory attic:empty\/beneath\//],
      ['no-tree', at('hot', 'lab', 'nonexist/'), 'NotFound', /there is no directory hot:lab\/nonexist\//],
      ['one-file', at('attic', 'empty', 'file'), 'InvalidInput', /attic:empty\/file is one file; .* attic:empty\/, /],
    ];
    for (const [transferId, source, type, message] of wrong) {
      await assert.rejects(site.penstock.transfers.plan({ transferId, source, target }), { type, message });
      await assert.rejects(run({ transferId, source, target }), { type, message });
    }
    for (const [transferId, source, allowEmpty] of [
      ['empty-prefix', at('warm', 'team-a', 'dta/'), true],
      ['empty-directory', at('attic', 'empty', 'below/'), undefined],
    ] as const) {
      const { state, files } = await run({ transferId, source, target, ...(allowEmpty ? { allowEmpty } : {}) });
      assert.deepEqual([state, files], ['complete', 0], transferId);
    }
    assert.equal((await objectDigests(site.stores.warm, 'team-a', 'never/')).size, 0);
  });

  test('a dry run counts what cannot be moved, and names it as the move then does', async () => {
    const folder = join(site.directory, 'attic', 'odd', 'below');
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, 'fine'), 'fine');
    await symlink('fine', join(folder, 'link'));
    await symlink('../../../elsewhere', join(folder, 'out'));
    await writeFile(join(folder, 'line\nfeed'), 'x');
    const input = { transferId: 'odd', source: at('attic', 'odd', 'below/'), target: at('warm', 'team-a', 'odd/') };
    const plan = await site.penstock.transfers.plan(input);
    assert.deepEqual([plan.files, plan.foreseen?.count], [4, 2]);
    const result = await run(input);
    const named = (entries: readonly { readonly path: string; readonly type: string }[] = []) => entries.map(({ path, type }) => `${type} ${path}`).sort();
    assert.deepEqual(named(plan.foreseen?.first), named(result.failed));
    assert.deepEqual([result.state, result.foreseen], ['partial', undefined]);
  });

  test('a name that is over moves nothing more, and tells when it ended', async () => {
    const again = { transferId: 'whole', source: at('warm', 'team-a', 'data/'), target: at('warm', 'team-a', 'copy/') };
    const { attached, endedAt = '' } = await site.penstock.transfers.start(again);
    assert.ok(attached && Date.parse(endedAt) <= Date.now(), endedAt);
  });

  test('a directory tree beside the tiers is a store like any other, links included', async () => {
    const attic = join(site.directory, 'attic', 'projects', 'old');
    for (const [path, body] of dataset) {
      await mkdir(dirname(join(attic, path)), { recursive: true });
      await writeFile(join(attic, path), body);
    }
    await symlink('part-0', join(attic, 'newest'));
    const there = await run({ transferId: 'from-attic', source: at('attic', 'projects', 'old/'), target: at('warm', 'team-a', 'old/'), exclude: ['part-9/'] });
    assert.deepEqual([there.state, there.files], ['complete', 37]);
    const back = await run({ transferId: 'to-attic', source: at('warm', 'team-a', 'old/'), target: at('attic', 'restored', '') });
    assert.equal(back.state, 'complete');
    const expected = [...digestsOf(dataset)].filter(([path]) => !path.startsWith('part-9/'));
    assert.deepEqual(sorted(await treeDigests(join(site.directory, 'attic', 'restored'))), sorted(new Map(expected)));
    assert.equal(await readlink(join(site.directory, 'attic', 'restored', 'newest')), 'part-0');
  });

  test('a store that the site does not have is refused, naming those there are', async () => {
    const places = { source: at('cellar', 'team-a', ''), target: at('warm', 'team-a', 'x/') };
    await assert.rejects(run({ transferId: 'nowhere', ...places }), { type: 'InvalidInput', message: /found "cellar"; accepted: hot, warm, cold, attic/ });
  });

  test('a rate of 0 stops what moves, and another lets it go on', async () => {
    await site.penstock.transfers.start({
      transferId: 'slow',
      source: at('warm', 'team-a', 'data/'),
      target: at('warm', 'team-a', 'slow/'),
      bytesPerSecond: '50kB/s',
    });
    await eventually('a file to arrive', async () => (await bytesAt('slow/')) > 0 || undefined);
    assert.deepEqual(await site.penstock.transfers.setRate('slow', { bytesPerSecond: 0 }), { bytesPerSecond: 0 });
    const stopped = await eventually('nothing to arrive for two seconds', () => unchangedFor(2000, () => bytesAt('slow/')));
    assert.ok(stopped < dataset.size, `${stopped} files arrived`);
    assert.equal((await site.penstock.transfers.status('slow')).state, 'moving');
    await site.penstock.transfers.setRate('slow', { bytesPerSecond: null });
    assert.equal((await site.penstock.transfers.wait('slow')).state, 'complete');
  });

  test('cancelled, what has arrived stays whole; started again it goes on to the end', async () => {
    const input = { transferId: 'cancelled', source: at('warm', 'team-a', 'data/'), target: at('warm', 'team-a', 'cancelled/'), bytesPerSecond: '50kB/s' };
    await site.penstock.transfers.start(input);
    await eventually('a file to arrive', async () => (await bytesAt('cancelled/')) > 0 || undefined);
    assert.equal((await site.penstock.transfers.cancel('cancelled')).state, 'cancelled');
    const left = await objectDigests(site.stores.warm, 'team-a', 'cancelled/');
    for (const [path, digest] of left) assert.equal(digest, digestsOf(dataset).get(path));
    assert.ok(left.size > 0 && left.size < dataset.size);
    const { bytesPerSecond: _, ...unlimited } = input;
    assert.equal((await run(unlimited)).state, 'complete');
  });

  test('a limit of a store holds for all, and is felt while it runs', async () => {
    await site.penstock.limits.set({ store: 'warm', bytesPerSecond: '50kB/s' });
    await site.penstock.transfers.start({ transferId: 'shared', source: at('warm', 'team-a', 'data/'), target: at('warm', 'team-a', 'shared/') });
    await eventually('a file to arrive', async () => (await bytesAt('shared/')) > 0 || undefined);
    assert.equal((await site.penstock.transfers.status('shared')).state, 'moving');
    assert.deepEqual(await site.penstock.limits.set({ store: 'warm', bytesPerSecond: null }), {});
    assert.equal((await site.penstock.transfers.wait('shared')).state, 'complete');
  });

  test('a check tells how far it is while it reads, of how many, and can be ended', async () => {
    await site.penstock.limits.set({ store: 'warm', bytesPerSecond: '30kB/s' });
    const { moved } = await site.penstock.transfers.status('replacing');
    assert.ok(moved);
    const manifest = at(moved.store, moved.bucket, moved.prefix);
    await site.penstock.checks.start({ checkId: 'slow', manifest, target: at('warm', 'team-a', 'taken/'), read: 'always' });
    // One part alone, of which the workflow hears at its end.
    const live = await eventually('entries to be compared', async () => {
      const status = await site.penstock.checks.status('slow');
      return status.done > 0 ? status : undefined;
    });
    assert.deepEqual([live.state, live.files, live.target, live.counts.missing], ['checking', 40, 'warm:team-a/taken/', 0]);
    assert.ok(live.done < 40 && live.done === live.counts.same && (live.etaSeconds ?? 0) > 0, JSON.stringify(live));
    assert.equal((await site.penstock.checks.cancel('slow')).state, 'cancelled');
    await assert.rejects(site.penstock.checks.cancel('slow'), { type: 'AlreadyOver', message: /ended at \S+ as cancelled/ });
    await site.penstock.limits.set({ store: 'warm', bytesPerSecond: null });
  });

  test('a sweep leaves alone what is young, and the schedule is there', async () => {
    const schedule = await site.temporal.schedule.getHandle('sweep').describe();
    assert.equal(schedule.action.workflowType, 'sweep');
    const { uploadId } = await site.stores.warm.beginUpload('team-a', 'begun');
    const swept = await site.temporal.workflow.execute('sweep', { workflowId: 'sweep', taskQueue: 'control', args: [] });
    assert.deepEqual(swept, { uploads: 0, temporaryFiles: 0, skipped: [] });
    assert.deepEqual(await site.stores.warm.listParts({ bucket: 'team-a', key: 'begun', uploadId }), []);
  });
});

/** The number, once it has not changed for so long. */
async function unchangedFor(milliseconds: number, count: () => Promise<number>): Promise<number | undefined> {
  const since = Date.now();
  const before = await count();
  while (Date.now() - since < milliseconds) if ((await count()) !== before) return undefined;
  return before;
}
