/** What every rack store must do, as its port says. A driver's test gives it racks and the way to take one away. */
import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { it } from 'node:test';
import type { RackStore } from '../../../../drivers/rack-store/port.ts';
import { PenstockError } from '../../../../model/errors.ts';
import { noise, streamOf } from '../../datapath/erasure/support.ts';

export interface RackUnderTest {
  readonly rack: RackStore;
  /** Its bucket or directory is gone afterwards. */
  takeAway(): Promise<void>;
}

const SHARD = 'ec/v1/shards/tenant/a b/modèle/@0123456789abcdef0123456789abcdef.07';

export function rackContract(newRack: () => Promise<RackUnderTest>): void {
  const put = (rack: RackStore, key: string, data: Buffer) => rack.writeShard(key, { bytes: data.length, blocks: streamOf(data) });

  const get = async (rack: RackStore, key: string, bytes: number, start = 0): Promise<Buffer> => {
    const into = Buffer.alloc(bytes);
    const reading = await rack.readInto(key, into, { start });
    assert.equal(reading.totalBytes, await rack.shardBytes(key));
    return into.subarray(0, reading.bytes);
  };

  for (const bytes of [0, 1, 70_001, 20_000_000]) {
    it(`reads back a shard of ${bytes} bytes, whole and in ranges`, async () => {
      const { rack } = await newRack();
      const data = noise(bytes);
      await put(rack, SHARD, data);
      assert.equal(await rack.shardBytes(SHARD), bytes);
      assert.ok((await get(rack, SHARD, bytes)).equals(data));
      assert.ok((await get(rack, SHARD, bytes + 1)).equals(data));
      if (bytes < 2) return;
      assert.ok((await get(rack, SHARD, 100, 5)).equals(data.subarray(5, 105)));
      assert.ok((await get(rack, SHARD, 20, bytes - 10)).equals(data.subarray(-10)));
    });
  }

  it('says what is absent', async () => {
    const { rack } = await newRack();
    assert.equal(await rack.shardBytes(SHARD), undefined);
    assert.equal(await rack.readManifest('ec/v1/manifests/a/@manifest.jsonl'), undefined);
    await assert.rejects(get(rack, SHARD, 10), { name: 'NotFound' });
    await rack.remove(SHARD);
    assert.deepEqual(await rack.list('ec/'), { keys: [], next: undefined });
  });

  it('never replaces a shard: the same length is a lost reply, another is a Conflict', async () => {
    const { rack } = await newRack();
    await put(rack, SHARD, noise(1000));
    await put(rack, SHARD, noise(1000));
    await assert.rejects(put(rack, SHARD, noise(1001)), { name: 'Conflict' });
    assert.ok((await get(rack, SHARD, 1000)).equals(noise(1000)));
  });

  it('keeps nothing of a shard that is short, long, broken off or cancelled', async () => {
    const { rack } = await newRack();
    const broken = () =>
      Readable.from(
        (async function* () {
          yield noise(500);
          throw new Error('the source broke');
        })(),
        { objectMode: false },
      );
    await assert.rejects(rack.writeShard(SHARD, { bytes: 1000, blocks: streamOf(noise(999)) }), PenstockError);
    await assert.rejects(rack.writeShard(SHARD, { bytes: 1000, blocks: streamOf(noise(1001)) }), PenstockError);
    await assert.rejects(rack.writeShard(SHARD, { bytes: 1000, blocks: broken() }));
    const controller = new AbortController();
    // Cancelled once it is drawn from: an error of a stream that nobody listens to yet would be nobody's.
    let draws = 0;
    const endless = new Readable({
      read() {
        draws += 1;
        if (draws === 1) return void this.push(noise(10));
        controller.abort(new Error('cancelled'));
        this.destroy(new Error('cancelled'));
      },
    });
    const writing = rack.writeShard(SHARD, { bytes: 1000, blocks: endless }, { signal: controller.signal });
    await assert.rejects(writing);
    assert.equal(await rack.shardBytes(SHARD), undefined);
    assert.deepEqual((await rack.list('ec/')).keys, []);
  });

  it('lets one of many writers have a manifest', async () => {
    const { rack } = await newRack();
    const key = 'ec/v1/manifests/a/@manifest.jsonl';
    const results = await Promise.allSettled(Array.from({ length: 8 }, (_, index) => rack.writeManifest(key, Buffer.from(`${index}\n`))));
    assert.equal(results.filter(({ status }) => status === 'fulfilled').length, 1);
    for (const result of results) assert.ok(result.status === 'fulfilled' || (result.reason instanceof PenstockError && result.reason.type === 'Conflict'));
    const winner = results.findIndex(({ status }) => status === 'fulfilled');
    assert.equal((await rack.readManifest(key))?.toString(), `${winner}\n`);
  });

  it('lists in byte order, page by page, and an object below another', async () => {
    const { rack } = await newRack();
    const keys = ['ec/m/a!b/x', 'ec/m/a/b/x', 'ec/m/a/x', 'ec/m/a0/x', 'ec/m/b/x', 'ec/m/ü/x'];
    for (const key of [...keys].reverse()) await rack.writeManifest(key, Buffer.from(key));
    await rack.writeManifest('ec/n/a/x', Buffer.from('other'));
    assert.deepEqual((await rack.list('ec/m/')).keys, keys);
    assert.deepEqual((await rack.list('ec/m/a/')).keys, ['ec/m/a/b/x', 'ec/m/a/x']);
    assert.deepEqual((await rack.list('ec/m/a')).keys, keys.slice(0, 4));
    const seen: string[] = [];
    for (let after: string | undefined; ; ) {
      const page = await rack.list('ec/m/', { limit: 2, ...(after === undefined ? {} : { after }) });
      seen.push(...page.keys);
      if (page.next === undefined) break;
      after = page.next;
    }
    assert.deepEqual(seen, keys);
  });

  it('removes what is named and nothing else', async () => {
    const { rack } = await newRack();
    await rack.writeManifest('ec/m/a/x', Buffer.from('1'));
    await rack.writeManifest('ec/m/a/b/x', Buffer.from('2'));
    await rack.remove('ec/m/a/x');
    await rack.remove('ec/m/a/x');
    assert.deepEqual((await rack.list('ec/')).keys, ['ec/m/a/b/x']);
  });

  it('answers for its free space while it is there, and fails every call when it is gone', async () => {
    const { rack, takeAway } = await newRack();
    const free = await rack.freeBytes();
    assert.ok(free === undefined || free > 0);
    await takeAway();
    await assert.rejects(rack.freeBytes(), PenstockError);
    await assert.rejects(put(rack, SHARD, noise(10)), PenstockError);
    await assert.rejects(rack.writeManifest('ec/m/a/x', Buffer.from('1')), PenstockError);
    await assert.rejects(rack.list('ec/'), PenstockError);
    // Not as absent: nobody knows what a rack held that is not there, and what is provably gone may be removed everywhere else.
    await assert.rejects(rack.readManifest('ec/m/a/x'), { name: 'StoreUnavailable' });
    await assert.rejects(rack.shardBytes(SHARD), { name: 'StoreUnavailable' });
    await assert.rejects(get(rack, SHARD, 10), { name: 'StoreUnavailable' });
  });
}
