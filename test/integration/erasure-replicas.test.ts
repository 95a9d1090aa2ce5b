/** A second site's erasure set, on the embedded site: copies by themselves after a drain and by command, the first set lost whole, and a foreign country. */
import assert from 'node:assert/strict';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { after, before, describe, test } from 'node:test';
import { restoreFiles } from '../../datapath/checkpoint/restore.ts';
import { listErasureObjects, newWriteId, readErasureObject, verifyErasureObject, writeErasureObject } from '../../datapath/erasure/index.ts';
import { shardNameOf } from '../../datapath/erasure/manifest.ts';
import { createPosixFileStore } from '../../drivers/file-store/posix.ts';
import { openStores } from '../../drivers/open-site.ts';
import type { RackStore } from '../../drivers/rack-store/port.ts';
import { checkpointPrefix } from '../../model/checkpoint.ts';
import { commandLine } from '../support/command-line.ts';
import { digestsOf, sorted, treeDigests } from '../support/facts.ts';
import { childrenStarted, eventsOf } from '../support/histories.ts';
import { secondSet } from '../support/replica.ts';
import { allocationInput, CHECKPOINT_FILES, datasetFiles, keyOf, NODE, runJob, seedDataset, untilPhase } from '../support/scenario.ts';
import { startTestSite, type TestSite } from '../support/site.ts';
import { eventually } from '../support/wait.ts';

const KEY = { ...keyOf('copied'), checkpointId: 'step-100' };
const signal = new AbortController().signal;

describe('a second site', { concurrency: false }, () => {
  let site: TestSite;
  let bern: readonly RackStore[];

  const penstock = (...args: string[]) => commandLine(site, ...args);
  const put = (key: string, body: Buffer) =>
    writeErasureObject({ racks: site.stores.shardRacks, key, content: Readable.from([body]), bytes: body.length, writeId: newWriteId() });
  const keysIn = async (racks: readonly RackStore[], prefix: string) => (await listErasureObjects({ racks, prefix })).keys;

  before(async () => {
    site = await startTestSite({ replicas: { bern: secondSet('bern', { checkpoints: true }), basel: secondSet('basel') } });
    bern = await site.stores.replicaRacks('bern');
    await seedDataset(site.stores.warm, datasetFiles(3, 10_000));
  });
  after(() => site.stop());

  test('has each checkpoint once it is drained, where the site file says so, and nowhere else', async () => {
    const key = keyOf(KEY.allocationId);
    await site.penstock.submit(allocationInput(key.allocationId));
    await untilPhase(site, key, 'ready');
    await runJob(site, key, await site.penstock.assignNodes(key, { nodes: [NODE] }), KEY.checkpointId);
    const copying = { to: 'bern', replicationId: `${key.tenant}/${key.project}/${key.allocationId}/${KEY.checkpointId}` };
    await eventually('the copy to be under way', async () => site.penstock.replications.status(copying));
    const counts = await site.penstock.replications.wait(copying);
    assert.deepEqual([counts.notCopiedCount, counts.existed], [0, 0]);
    assert.ok((counts.leastMargin ?? 0) >= 2);
    const keys = await keysIn(site.stores.shardRacks, checkpointPrefix(KEY));
    assert.equal(counts.copied, keys.length);
    assert.deepEqual(await keysIn(bern, checkpointPrefix(KEY)), keys);
    assert.deepEqual(await keysIn(await site.stores.replicaRacks('basel'), ''), []);
    const [small = ''] = [...CHECKPOINT_FILES.keys()];
    const where = await penstock('erasure', 'where', checkpointPrefix(KEY) + small, '--in', 'bern');
    assert.equal(where.code, 0, where.stderr);
    assert.match(where.stdout, /^file +acme\/vision\/copied\/checkpoints\/step-100\/.*\nin the pack /);
    assert.equal(childrenStarted(await eventsOf(site.temporal, `drain/${copying.replicationId}`), 'replicate').length, 1);
    await site.penstock.finish(key, { outcome: 'succeeded' });
  });

  test('gets what a command copies, once: what is there already is success', async () => {
    for (const number of [1, 2, 3]) await put(`by-hand/${number}`, Buffer.alloc(number * 100_000, number));
    const first = await penstock('-o', 'json', 'erasure', 'replicate', '--to', 'basel', '--prefix', 'by-hand/', '--id', 'one');
    assert.equal(first.code, 0, first.stderr);
    const { copied, existed, bytes } = JSON.parse(first.stdout);
    assert.deepEqual([copied, existed, bytes], [3, 0, 600_000]);
    const basel = await site.stores.replicaRacks('basel');
    assert.deepEqual(await keysIn(basel, ''), ['by-hand/1', 'by-hand/2', 'by-hand/3']);
    const { digestMatches, margin, manifestCopies, shards } = await verifyErasureObject({ racks: basel, key: 'by-hand/3' });
    assert.ok(digestMatches && margin >= 2 && manifestCopies === 5, JSON.stringify(shards));

    const again = await penstock('erasure', 'replicate', '--to', 'basel', '--prefix', 'by-hand/', '--id', 'two', '--verify', 'all');
    assert.equal(again.code, 0, again.stderr);
    assert.match(again.stdout, /were there +3 objects with equal content/);
    assert.match((await penstock('erasure', 'where', 'by-hand/1', '--in', 'basel')).stdout, /margin +[234]: so many more racks may be lost/);
  });

  test('is made whole by `--verify mend`: from its own shards, or from here where they are too few; status tells of it', async () => {
    const basel = await site.stores.replicaRacks('basel');
    const bodies = new Map([1, 2, 3].map((number) => [`mend/${number}`, Buffer.alloc(100_000 * number, number)]));
    for (const [key, body] of bodies) await put(key, body);
    assert.equal((await penstock('erasure', 'replicate', '--to', 'basel', '--prefix', 'mend/')).code, 0);
    const { replicas } = site.stores.site.erasureSet;
    const rot = async (key: string, shards: number): Promise<void> => {
      const { manifest } = await verifyErasureObject({ racks: basel, key });
      for (const shard of manifest.shards.slice(0, shards)) {
        const { bucket = '' } = replicas['basel']?.racks.find(({ id }) => id === shard.rack) ?? {};
        const path = join(site.directory, 'replica-basel', bucket, shardNameOf(manifest, shard));
        const body = await readFile(path);
        body[5_000] = (body[5_000] ?? 0) ^ 1;
        await writeFile(path, body);
      }
    };
    await rot('mend/1', 4);
    await rot('mend/2', 5);
    const found = await penstock('erasure', 'replicate', '--to', 'basel', '--prefix', 'mend/', '--verify', 'all');
    assert.equal(found.code, 7);
    assert.match(found.stdout, /mend\/1 +CorruptSource.*\n.*mend\/2 +CorruptSource/);

    const mended = await penstock('erasure', 'replicate', '--to', 'basel', '--prefix', 'mend/', '--verify', 'mend', '--id', 'mending');
    assert.equal(mended.code, 0, mended.stderr);
    assert.match(mended.stdout, /copied +1 objects to basel.*\nwere there +2 objects with equal content, 1 of them mended/);
    for (const [key, body] of bodies) {
      const { ok, margin } = await verifyErasureObject({ racks: basel, key });
      assert.deepEqual([key, ok, margin], [key, true, 4]);
      assert.ok((await buffer((await readErasureObject({ racks: basel, key })).content)).equals(body), key);
    }
    const shown = await eventually('the mending to be listed', async () => {
      const { stdout } = await penstock('erasure', 'status');
      return /\nbasel\/mending +completed.*/.exec(stdout)?.[0] && stdout;
    });
    assert.match(shown, /\nbasel\/mending +completed +\S+ +1 +2 +1 +0 +4\n/);
    assert.match(shown, /\nbern +18 of 18\b/);
  });

  test('that holds other content under a key keeps it, and the command says which', async () => {
    await put('clash', Buffer.from('here'));
    await writeErasureObject({ racks: bern, key: 'clash', content: Readable.from([Buffer.from('there')]), bytes: 5, writeId: newWriteId() });
    const { code, stdout } = await penstock('erasure', 'replicate', '--to', 'bern', '--prefix', 'clash');
    assert.equal(code, 7);
    assert.match(stdout, /clash +Conflict/);
    assert.equal((await buffer((await readErasureObject({ racks: bern, key: 'clash' })).content)).toString(), 'there');
  });

  test('has all of it once where the worker that copied was killed on the way', async () => {
    const bodies = new Map(Array.from({ length: 24 }, (_, number) => [`killed/${String(number).padStart(2, '0')}`, Buffer.alloc(400_000, number)]));
    for (const [key, body] of bodies) await put(key, body);
    const basel = await site.stores.replicaRacks('basel');
    const copying = { to: 'basel', replicationId: 'killed' };
    await site.penstock.replications.start({ ...copying, prefix: 'killed/' });
    await eventually('some to be there', async () => (await keysIn(basel, 'killed/')).length > 1 || undefined);
    const mover = site.running.service('worker-data');
    await mover.kill('SIGKILL');
    const before = (await keysIn(basel, 'killed/')).length;
    assert.ok(before < bodies.size, 'it was over before the strike');
    await mover.restart();
    const { copied, existed, notCopiedCount } = await site.penstock.replications.wait(copying);
    assert.deepEqual([copied + existed, notCopiedCount], [bodies.size, 0]);
    assert.ok(existed >= before && copied > 0, `${before} were there, ${existed} were found`);
    assert.deepEqual(await keysIn(basel, 'killed/'), [...bodies.keys()]);
    for (const [key, body] of bodies) assert.ok((await buffer((await readErasureObject({ racks: basel, key })).content)).equals(body), key);
  });

  test('abroad is refused: by the command, by the workflow and where its racks are opened; and a set that nobody named', async () => {
    const refused = await penstock('erasure', 'replicate', '--to', 'bern', '--within', 'de,fr');
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /PolicyRefused: replica bern lies in ch; copies may lie in no country that both the site and the request allow/);
    const key = { to: 'bern', replicationId: 'abroad' };
    await site.penstock.replications.start({ ...key, within: ['de'] });
    await assert.rejects(site.penstock.replications.wait(key), { type: 'PolicyRefused', message: /replica bern lies in ch/ });
    const unknown = await penstock('erasure', 'replicate', '--to', 'ohio');
    assert.equal(unknown.code, 1);
    assert.match(unknown.stderr, /InvalidInput: to: found "ohio"; accepted: bern, basel/);

    // As a site file would stand that got past its schema.
    const { site: config } = site.stores;
    const bernConfig = config.erasureSet.replicas['bern'];
    assert.ok(bernConfig);
    const stores = await openStores({ ...config, erasureSet: { ...config.erasureSet, replicas: { ohio: { ...bernConfig, jurisdiction: 'us' } } } });
    await assert.rejects(stores.replicaRacks('ohio'), { name: 'PolicyRefused', message: /replica ohio lies in us; copies may lie in ch/ });
  });

  test('has all of it, byte for byte, with the first one lost whole', async () => {
    const buckets = site.stores.site.erasureSet.racks.map(({ bucket }) => bucket);
    const move = (from: string, to: string) =>
      Promise.all(buckets.map((bucket) => rename(join(site.directory, from, bucket), join(site.directory, to, bucket))));
    await mkdir(join(site.directory, 'lost'));
    await move('s3/racks', 'lost');
    try {
      await assert.rejects(readErasureObject({ racks: site.stores.shardRacks, key: 'by-hand/1' }), { name: 'StoreUnavailable' });
      const target = createPosixFileStore({ name: 'restored', root: join(site.directory, 'hot') });
      await restoreFiles({ racks: bern, prefix: checkpointPrefix(KEY), target, directory: 'restored/here', attempt: 'one', signal });
      assert.deepEqual(sorted(await treeDigests(join(site.directory, 'hot/restored/here'))), sorted(digestsOf(CHECKPOINT_FILES)));
      const basel = await site.stores.replicaRacks('basel');
      assert.ok((await buffer((await readErasureObject({ racks: basel, key: 'by-hand/2' })).content)).equals(Buffer.alloc(200_000, 2)));
    } finally {
      await move('lost', 's3/racks');
    }
  });
});
