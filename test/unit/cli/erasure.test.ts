/** `penstock erasure where`, `simulate` and `replicate`, without a site. */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { parse, stringify } from 'yaml';
import { planDryRun } from '../../../cli/plan/plan-dry-run.ts';
import type { ReplicationRow } from '../../../client/replications.ts';
import { loadSiteFile } from '../../../drivers/site-file.ts';
import { ReplicaSchema } from '../../../model/erasure-set.ts';
import { noReplication, type ReplicationCounts } from '../../../model/replication.ts';
import { secondSet } from '../../support/replica.ts';
import { recordsInMemory } from '../activities/records-in-memory.ts';
import { failAll, memorySite, noise, write } from '../datapath/erasure/support.ts';
import { recordingStores } from './recording-stores.ts';
import { NOW, penstock, recorder, repository, siteFile, unpreparedReplications } from './support.ts';

const json = async (...parameters: string[]) => {
  const ran = await penstock(['-o', 'json', ...parameters]);
  assert.equal(ran.code, 0, ran.stderr);
  return JSON.parse(ran.stdout);
};

describe('penstock erasure simulate', () => {
  test('takes the racks of the site file, and says what it assumes', async () => {
    const { code, stdout } = await penstock(['erasure', 'simulate', '--objects', '500', '--runs', '5000']);
    assert.equal(code, 0);
    assert.match(stdout, /fleet +20 racks in 4 rooms/);
    assert.match(stdout, /500 of 14\+4 shards, 5, 5, 4, 4 to a room/);
    assert.match(stdout, /2 % of the racks lost in a year, 3 d 0 h until one is rebuilt, serial repair/);
    assert.match(stdout, /exact +1\.49e-11 +10\.8/);
    assert.match(stdout, /0 % elsewhere/);
  });

  test('reproduces the published numbers: 14+4, and 17+3 of Backblaze', async () => {
    const table = [
      ['2%', '24h', '1.8e-13'],
      ['2%', '72h', '1.5e-11'],
      ['2%', '168h', '4.4e-10'],
      ['5%', '24h', '1.8e-11'],
      ['5%', '168h', '4.2e-8'],
    ];
    for (const [afr = '', mttr = '', loss] of table) {
      const { durability } = await json('erasure', 'simulate', '--objects', '10', '--afr', afr, '--mttr', mttr);
      assert.equal(durability.exact.toExponential(1), loss);
      assert.ok(durability.simulated.low <= durability.exact && durability.exact <= durability.simulated.high, `${afr} ${mttr}`);
    }
    const backblaze = ['--racks', '20', '--data', '17', '--parity', '3', '--afr', '0.405%', '--mttr', '156h', '--repair', 'window', '--objects', '10'];
    const { durability } = await json('erasure', 'simulate', ...backblaze);
    assert.equal(durability.exact.toPrecision(3), '7.35e-12');
    assert.ok(durability.simulated.low <= durability.exact && durability.exact <= durability.simulated.high);
  });

  test('knows events that take a part of a room, and gives the same answer for a seed', async () => {
    const correlated = ['erasure', 'simulate', '--racks', '25', '--rooms', '5', '--correlated', '1%', '--objects', '50', '--runs', '20000'];
    const first = await json(...correlated);
    assert.deepEqual(first, await json(...correlated));
    assert.notDeepEqual(first.durability.simulated, (await json(...correlated, '--seed', '2')).durability.simulated);
    assert.deepEqual(first.durability.model.shardsPerRoom, [4, 4, 4, 3, 3]);
    assert.equal(first.durability.formula, undefined);
    assert.equal(first.durability.exact.toExponential(1), '1.5e-5');
  });

  test('warns where a room gets more shards of an object than may be lost, as the parity goes, and only there', async () => {
    const simulated = async (...more: string[]) => (await penstock(['erasure', 'simulate', '--objects', '10', '--runs', '100', ...more])).stdout;
    assert.match(await simulated('--racks', '20', '--rooms', '4'), /warning: 2 of the 4 rooms of an object hold more than 4 of its shards/);
    assert.doesNotMatch(await simulated('--racks', '25', '--rooms', '5'), /warning/);
    assert.match(await simulated('--racks', '25', '--rooms', '5', '--data', '17', '--parity', '3'), /warning: 5 of the 5 rooms .* more than 3 /);
  });

  test('assumes no independent racks where rooms have events', async () => {
    const simulated = async (...more: string[]) => (await penstock(['erasure', 'simulate', '--objects', '10', '--runs', '100', ...more])).stdout;
    assert.match(await simulated(), /independent racks/);
    assert.doesNotMatch(await simulated('--correlated', '1%'), /independent/);
  });

  test('refuses fleets that no object fits on, and what does not go together', async () => {
    for (const [parameters, code, message] of [
      [['--racks', '17'], 1, /InvalidInput: racks: found 17 that take shards; accepted: at least 18/],
      [['--rooms', '3'], 2, /--rooms needs --racks/],
      [['--racks', '30', '--rooms', '10', '--correlated', '1%', '--objects', '10'], 1, /too many states; accepted: at most eight rooms/],
      [['--repair', 'window', '--correlated', '1%'], 2, /--repair window knows neither/],
      [['--afr', '0'], 2, /accepted: a share such as "2%"/],
      [['--mttr', '0s'], 2, /accepted: a duration above 0/],
      [['--share', '150%'], 2, /at most 100%/],
      [['--objects', '1000000', '--racks', '1000'], 2, /accepted: at most 50000 with 1000 racks/],
    ] as const) {
      const ran = await penstock(['erasure', 'simulate', ...parameters]);
      assert.equal(ran.code, code, `${parameters.join(' ')}: ${ran.stderr}`);
      assert.match(ran.stderr, message);
    }
  });
});

describe('penstock erasure where', () => {
  test('shows rack, room and state of each shard and the margin; exit code 1 where it cannot be read', async () => {
    const racks = memorySite();
    const { manifest } = await write(racks, 'a/b', noise(1000));
    const { stores } = recordingStores(await loadSiteFile(siteFile));
    const where = (...more: string[]) => penstock(['erasure', 'where', 'a/b', ...more], { stores: { ...stores, shardRacks: racks } });
    const whole = await where();
    assert.equal(whole.code, 0, whole.stderr);
    assert.match(whole.stdout, new RegExp(`written .*write ${manifest.writeId}`));
    assert.match(whole.stdout, /margin +4: so many more racks may be lost, by names and sizes; content is read by scrub/);
    assert.match(whole.stdout, /manifest +5 of 5 copies: (r\d\d(, )?){5}\n/);
    assert.match(whole.stdout, new RegExp(`17 parity +${manifest.shards[17]?.rack} +room-[abcd] +there`));

    for (const { rack } of manifest.shards.slice(0, 5)) {
      const { objects = new Map() } = racks.find(({ id }) => id === rack) ?? {};
      for (const name of [...objects.keys()]) if (name.includes('/shards/')) objects.delete(name);
    }
    const lost = await where('-o', 'json');
    assert.equal(lost.code, 1);
    assert.equal(JSON.parse(lost.stdout).margin, -1);
    const [holder] = racks.filter(({ objects }) => [...objects.keys()].some((name) => name.includes('/manifests/')));
    if (holder) failAll(holder);
    assert.match((await where()).stdout, new RegExp(`manifest +4 of 5 copies: .*; ${holder?.id} unreachable`));
    const none = await penstock(['erasure', 'where', 'nothing'], { stores: { ...stores, shardRacks: racks } });
    assert.deepEqual([none.code, none.stderr.includes('NotFound')], [3, true]);
  });
});

describe('penstock erasure replicate', () => {
  let directory = '';
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'penstock-cli-'));
  });
  after(() => rm(directory, { recursive: true }));
  const withReplica = async () => {
    const file = join(directory, 'site.yaml');
    const site = parse(await readFile(siteFile, 'utf8'));
    site.erasureSet.replicas = { bern: secondSet('bern') };
    await writeFile(file, stringify(site));
    return { PENSTOCK_SITE: file };
  };

  test('starts a copying, waits for it, and names what could not be copied with exit code 7', async () => {
    const env = await withReplica();
    const start = recorder({ workflowId: 'replicate/bern/one', runId: 'r', attached: false });
    const answer = { ...noReplication, copied: 2, existed: 1, bytes: 3000, leastMargin: 4 };
    const replications = (counts: ReplicationCounts) => ({
      start: start.ask,
      status: () => Promise.resolve(counts),
      wait: () => Promise.resolve(counts),
      recent: () => Promise.resolve([]),
    });
    const parameters = ['erasure', 'replicate', '--to', 'bern', '--prefix', 'acme/', '--within', 'ch,de', '--id', 'one'];
    const good = await penstock(parameters, { env, penstock: { replications: replications(answer) } });
    assert.equal(good.code, 0, good.stderr);
    assert.deepEqual(start.asked, [{ replicationId: 'one', to: 'bern', prefix: 'acme/', verify: 'copied', within: ['ch', 'de'] }]);
    assert.match(good.stdout, /copied +2 objects to bern, read back there\nwere there +1 objects/);
    const mended = await penstock([...parameters, '--verify', 'mend'], { env, penstock: { replications: replications({ ...answer, mended: 1 }) } });
    assert.partialDeepStrictEqual(start.asked.at(-1), { verify: 'mend' });
    assert.match(mended.stdout, /were there +1 objects with equal content, 1 of them mended/);
    const bad = { ...answer, notCopiedCount: 1, notCopied: [{ key: 'acme/x', type: 'Conflict', message: 'other content' }] };
    const partial = await penstock(parameters, { env, penstock: { replications: replications(bad) } });
    assert.equal(partial.code, 7);
    assert.match(partial.stdout, /acme\/x +Conflict +other content/);
  });

  test('is shown by status: whether the other sets answer, and the last copyings with what they mended', async () => {
    const env = await withReplica();
    const inMemory = await recordsInMemory();
    const site = await loadSiteFile(env.PENSTOCK_SITE);
    const bern = memorySite(18);
    if (bern[3]) failAll(bern[3]);
    const stores = { ...inMemory.stores, site, shardRacks: memorySite(), replicaRacks: () => Promise.resolve(bern) };
    const copies: ReplicationRow[] = [
      { to: 'bern', replicationId: 'mending', state: 'running', startedAt: '2026-11-21T07:00:00.000Z', counts: { ...noReplication, existed: 7, mended: 3 } },
      { to: 'bern', replicationId: 'acme/x', state: 'failed', startedAt: '2026-11-20T07:00:00.000Z' },
    ];
    const status = (recent: () => Promise<ReplicationRow[]>, ...more: string[]) =>
      penstock(['erasure', 'status', ...more], { env, stores, penstock: { replications: { ...unpreparedReplications, recent } } });
    const shown = await status(() => Promise.resolve(copies));
    assert.equal(shown.code, 0, shown.stderr);
    assert.match(shown.stdout, /\nbern +17 of 18 +not: r04\n/);
    assert.match(shown.stdout, /\nbern\/mending +running +2026-11-21T07:00:00\.000Z +0 +7 +3 +0 +-\nbern\/acme\/x +failed +2026-11-20T07:00:00\.000Z +- +-/);
    const json = await status(() => Promise.resolve(copies), '-o', 'json');
    assert.partialDeepStrictEqual(JSON.parse(json.stdout), { replicas: [{ name: 'bern', racks: 18, silentRacks: ['r04'] }], copies });
    const away = await status(() => Promise.reject(new Error('no answer')));
    assert.match(away.stdout, /17 of 18/);
    assert.doesNotMatch(away.stdout, /remembers no copying/);
    assert.match(away.stderr, /copies: no answer/);
    const closed = { ...stores, replicaRacks: () => Promise.reject(new Error('its secret is not there')) };
    const none = await penstock(['erasure', 'status'], { env, stores: closed, penstock: { replications: unpreparedReplications } });
    assert.match(none.stdout, /\nbern +NONE +its secret is not there/);
  });

  test('is refused before anything starts: abroad, to nowhere, and with countries that are none', async () => {
    const env = await withReplica();
    for (const [parameters, message] of [
      [['--to', 'bern', '--within', 'de'], /PolicyRefused: replica bern lies in ch; copies may lie in no country/],
      [['--to', 'ohio'], /InvalidInput: to: found "ohio"; accepted: bern/],
      [['--to', 'bern', '--within', 'Schweiz'], /InvalidInput: within\[0\]: found "Schweiz"; accepted: a two-letter country code/],
    ] as const) {
      const ran = await penstock(['erasure', 'replicate', ...parameters], { env });
      assert.equal(ran.code, 1, ran.stderr);
      assert.match(ran.stderr, message);
    }
  });
});

test('the dry run of an allocation says where its checkpoints are copied to', async () => {
  const site = await loadSiteFile(siteFile);
  const replicas = { bern: ReplicaSchema.parse(secondSet('bern', { checkpoints: true })), basel: ReplicaSchema.parse(secondSet('basel')) };
  const declaration = parse(await readFile(join(repository, 'examples/allocation.yaml'), 'utf8'));
  const copied = async (of: typeof site) =>
    (await planDryRun({ declaration, site: of, now: NOW })).steps.map(({ action }) => action).filter((action) => action.startsWith('erasure set ->'));
  assert.deepEqual(await copied({ ...site, erasureSet: { ...site.erasureSet, replicas } }), ['erasure set -> bern']);
  assert.deepEqual(await copied(site), []);
});
