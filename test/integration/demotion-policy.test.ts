/** Demotion by rules in a whole site: what is old goes down a tier, what is used stays, and what the plan says is what happens. */
import assert from 'node:assert/strict';
import { mkdir, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { askInUse } from '../../activities/demotion-facts.ts';
import { type LastDemotion, readLastDemotion } from '../../activities/demotion-record.ts';
import { createDemotedRemoval } from '../../activities/demotion-removal.ts';
import type { Run } from '../../activities/effect.ts';
import { endpointAt } from '../../activities/places.ts';
import { type DemotionPlan, planDemotion } from '../../cli/plan/demotion.ts';
import { writeManifest } from '../../datapath/transfer/manifest-store.ts';
import { seededBytes } from '../../dev/job/job.ts';
import { allocationWorkflowId } from '../../model/identifiers.ts';
import { type Location, SYSTEM_BUCKET } from '../../model/location.ts';
import { objectDigests, objectKeys, sha256, sorted, treeDigests } from '../support/facts.ts';
import { allocationInput, keyOf, untilPhase } from '../support/scenario.ts';
import { startTestSite, type TestSite } from '../support/site.ts';
import { eventually } from '../support/wait.ts';

const BUCKET = 'training-data';
const DAY_MS = 86_400_000;

describe('demotion by rules', { concurrency: false }, () => {
  let site: TestSite;
  before(async () => {
    site = await startTestSite({ demotion: { hotOnly: [`${BUCKET}/pinned`] } });
    await site.stores.warm.ensureBucket(BUCKET);
  });
  after(() => site.stop());

  const contentOf = (path: string): Buffer => seededBytes(path, 20_000);
  const hotPath = (path: string): string => join(site.stores.hotFiles.root, BUCKET, path);
  const daysAgo = (days: number): Date => new Date(Date.now() - days * DAY_MS);

  /** @param ages in days since it was changed, and since it was read */
  async function putHot(path: string, [changed, read]: readonly [number, number], content = contentOf(path)): Promise<void> {
    await mkdir(dirname(hotPath(path)), { recursive: true });
    await writeFile(hotPath(path), content);
    await utimes(hotPath(path), daysAgo(read), daysAgo(changed));
  }

  /** An object of the embedded gateway is a file of that name. */
  const age = (path: string, days: number) => utimes(join(site.directory, 's3', 'warm', BUCKET, path), daysAgo(days), daysAgo(days));

  async function putWarm(path: string, days: number): Promise<void> {
    await site.stores.warm.writeBytes(BUCKET, path, contentOf(path));
    await age(path, days);
  }

  async function plan(all = false): Promise<DemotionPlan> {
    const allocations = await site.penstock.demotion.allocationsUnderWay();
    return planDemotion(site.stores, { now: new Date(), allocations, all, limit: 1000 });
  }

  /** Triggers the schedule and waits for what its run records. */
  async function run(): Promise<LastDemotion> {
    const before = (await readLastDemotion(site.stores))?.startedAt;
    await site.penstock.demotion.run();
    return await ended(before);
  }

  const ended = (before: string | undefined) =>
    eventually('the run to be recorded', async () => {
      const last = await readLastDemotion(site.stores);
      const { underWay } = await site.penstock.demotion.schedule();
      return last && last.startedAt !== before && !underWay ? last : undefined;
    });

  const moving = ({ files }: DemotionPlan): string[] =>
    files.filter(({ verdict }) => verdict === 'moves').map(({ tier, to, path }) => `${tier} -> ${to} ${path}`);
  const hotNames = async (below: string): Promise<string[]> => [...(await treeDigests(hotPath(below))).keys()].sort();

  /** Every byte, wherever it lies. */
  async function assertLies(store: 'warm' | 'cold', below: string, names: readonly string[]): Promise<void> {
    const found = await objectDigests(site.stores[store], BUCKET, `${below}/`);
    assert.deepEqual(sorted(found), sorted(new Map(names.map((name) => [name, sha256(contentOf(`${below}/${name}`))]))), `${store} ${below}`);
  }

  test('what is old goes from hot to warm and from warm to cold, exactly as the plan says, byte for byte', async () => {
    await putHot('ages/old', [40, 40]);
    await putHot('ages/read-lately', [40, 2]);
    await putHot('ages/changed-lately', [2, 40]);
    await putHot('pinned/old', [400, 400]);
    await putWarm('shelf/old', 100);
    await putWarm('shelf/younger', 60);
    const planned = await plan(true);
    assert.deepEqual(moving(planned), [`hot -> warm ${BUCKET}/ages/old`, `warm -> cold ${BUCKET}/shelf/old`]);
    const stays = planned.files.filter(({ verdict }) => verdict === 'stays').map(({ path, reason, ageBy }) => [path, reason, ageBy]);
    assert.deepEqual(stays, [
      [`${BUCKET}/ages/changed-lately`, 'young', 'change'],
      [`${BUCKET}/ages/read-lately`, 'young', 'read'],
      [`${BUCKET}/pinned/old`, 'hot-only', 'change'],
      [`${BUCKET}/shelf/younger`, 'young', 'change'],
    ]);

    const { moved, keptCount, failure } = await run();
    assert.deepEqual({ moved, keptCount, failure }, { moved: planned.moves, keptCount: 0, failure: undefined });
    assert.deepEqual(await hotNames('ages'), ['changed-lately', 'read-lately']);
    assert.deepEqual(await hotNames('pinned'), ['old']);
    await assertLies('warm', 'ages', ['old']);
    await assertLies('warm', 'shelf', ['younger']);
    await assertLies('cold', 'shelf', ['old']);
    assert.deepEqual(moving(await plan()), [], 'nothing is left to move');

    await age('ages/old', 100);
    assert.equal((await run()).moved.files, 1);
    await assertLies('warm', 'ages', []);
    await assertLies('cold', 'ages', ['old']);
  });

  test('what an allocation mounts is whole again before it is staged, the colder copy stays, and the mount counts as use', async () => {
    await putWarm('shelf/younger', 200);
    const key = keyOf('mounts-shelf');
    await site.penstock.submit(
      allocationInput(key.allocationId, { data: { mounts: [{ source: `s3://${BUCKET}/shelf`, target: '/data' }], scratch_per_node: '1MB' } }),
    );
    await untilPhase(site, key, 'ready');
    assert.deepEqual(await hotNames('shelf'), ['old', 'younger']);
    await assertLies('warm', 'shelf', ['old', 'younger']);
    await assertLies('cold', 'shelf', ['old']);

    await age('shelf/old', 200);
    const { files } = await plan(true);
    assert.deepEqual(
      files.filter(({ tier, path }) => tier === 'warm' && path.startsWith(`${BUCKET}/shelf/`)).map(({ reason, ageBy }) => [reason, ageBy]),
      [
        ['young', 'mount'],
        ['young', 'mount'],
      ],
    );
    await site.penstock.cancel(key, { mode: 'abandon', reason: 'seen' });
    await assert.rejects(site.penstock.wait(key), { type: 'Cancelled' });
  });

  test('what differs from a copy below stays and is reported, run after run', async () => {
    await putWarm('differs/file', 1);
    await putHot('differs/file', [40, 40], Buffer.from('changed on hot since it was recalled'));
    for (const _ of [1, 2]) {
      await utimes(hotPath('differs/file'), daysAgo(40), daysAgo(40)); // the first run has read it
      const { moved, keptCount, kept } = await run();
      assert.deepEqual([moved.files, keptCount, kept[0]?.file], [0, 1, `hot:${BUCKET}/differs/file`]);
    }
    await assertLies('warm', 'differs', ['file']);
    assert.deepEqual(await hotNames('differs'), ['file']);
  });

  test('a worker killed in the middle loses nothing: what arrived stays, the rest follows', async () => {
    const names = Array.from({ length: 40 }, (_, index) => `file-${String(index).padStart(2, '0')}`);
    for (const name of names) await putHot(`killed/${name}`, [40, 40]);
    await site.penstock.limits.set({ store: 'warm', bytesPerSecond: '200kB/s' }); // 800 kB take seconds
    const before = (await readLastDemotion(site.stores))?.startedAt;
    await site.penstock.demotion.run();
    const arrived = await eventually('some of them to have arrived', async () => {
      const keys = await objectKeys(site.stores.warm, BUCKET, 'killed/');
      return keys.length > 0 ? keys.length : undefined;
    });
    assert.ok(arrived < names.length, `${arrived} had arrived: the kill came too late to be in the middle`);
    await site.running.service('worker-data').kill('SIGKILL');
    assert.deepEqual(await hotNames('killed'), names, 'no source goes before all of its part is verified');
    await site.running.service('worker-data').restart();
    await site.penstock.limits.set({ store: 'warm', bytesPerSecond: null });
    const { moved, failure } = await ended(before);
    assert.deepEqual([failure, moved.files], [undefined, names.length]);
    await assertLies('warm', 'killed', names);
    assert.deepEqual(await hotNames('killed'), []);
  });

  describe('between the copy and the removal of its source', () => {
    const source: Location = { store: 'hot', bucket: BUCKET, prefix: '' };
    const target: Location = { store: 'warm', bucket: BUCKET, prefix: '' };
    const signal = new AbortController().signal;
    const runOf = (superseded: readonly string[]): Run => ({
      signal,
      attempt: 'test',
      superseded,
      report: () => undefined,
      follow: () => undefined,
      cancelRequested: () => false,
    });

    /** Copied, and then something happens. @returns what the removal says */
    async function removeAfter(path: string, happens: () => Promise<void>, superseded: readonly string[] = [], owners: readonly string[] = []) {
      const now = new Date().toISOString();
      await putHot(path, [40, 40]);
      await site.stores.warm.writeBytes(BUCKET, path, contentOf(path));
      const listOf = async (name: string, place: Location) => {
        const entry = await endpointAt(site.stores, place).stat(path);
        assert.ok(entry);
        const prefix = `manifests/transfers/${path}/${name}/`;
        return await writeManifest({ store: site.stores.warm, storeName: 'warm', bucket: SYSTEM_BUCKET, prefix, entries: [entry] });
      };
      const request = { manifest: await listOf('listed', source), moved: await listOf('moved', target), source, target, now };
      await happens();
      return await createDemotedRemoval(site.stores)(request, await askInUse(site.stores, owners), runOf(superseded));
    }
    const write = (path: string) => () => writeFile(hotPath(path), 'newer');
    const warmKeys = (path: string) => objectKeys(site.stores.warm, BUCKET, path);

    test('nothing happens, and the source goes', async () => {
      const { removed, kept } = await removeAfter('between/nothing', async () => undefined);
      assert.deepEqual([removed.files, kept, await warmKeys('between/nothing')], [1, [], ['between/nothing']]);
      assert.ok(!(await hotNames('between')).includes('nothing'));
    });

    test('it is changed: it stays, is reported, and the copy of what is no more is taken back', async () => {
      const { removed, kept } = await removeAfter('between/changed', write('between/changed'));
      assert.equal(removed.files, 0);
      assert.deepEqual(kept, [{ file: `hot:${BUCKET}/between/changed`, reason: 'it was changed after it had been copied; the copy was taken back' }]);
      assert.deepEqual(await warmKeys('between/changed'), []);
      assert.ok((await hotNames('between')).includes('changed'));
    });

    test('it is changed, and an earlier attempt may have removed it before: the copy stays, too', async () => {
      const { kept } = await removeAfter('between/perhaps-anew', write('between/perhaps-anew'), ['an earlier attempt']);
      assert.equal(kept[0]?.reason, 'it was changed after it had been copied');
      assert.deepEqual(await warmKeys('between/perhaps-anew'), ['between/perhaps-anew']);
    });

    test('an allocation reserves it: it stays, by what is known and by the tier’s own word', async () => {
      const owner = allocationWorkflowId(keyOf('late'));
      const reserve = (path: string) => async () => {
        const expiresAt = new Date(Date.now() + 3_600_000).toISOString();
        await site.stores.hot.reserve({ owner, key: `${owner}#${path}`, path: `/${BUCKET}/${path}`, bytes: 1, expiresAt });
      };
      const known = await removeAfter('between/known', reserve('between/known'), [], [owner]);
      assert.deepEqual(known.kept, [{ file: `hot:${BUCKET}/between/known`, reason: 'an allocation uses it by now' }]);
      const unknown = await removeAfter('between/unknown', reserve('between/unknown'));
      assert.match(unknown.kept[0]?.reason ?? '', /is held by a reservation/);
      assert.deepEqual(await hotNames('between'), ['changed', 'known', 'perhaps-anew', 'unknown']);
    });

    test('its copy is gone: it stays', async () => {
      const { kept } = await removeAfter('between/no-copy', () => site.stores.warm.remove(BUCKET, 'between/no-copy'));
      assert.equal(kept[0]?.reason, 'its copy is no longer what arrived');
      assert.ok((await hotNames('between')).includes('no-copy'));
    });
  });
});
