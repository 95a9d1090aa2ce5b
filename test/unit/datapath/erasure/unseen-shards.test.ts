/** What is not seen is told apart from what is lost: by a scrub, and by a read that has too few shards. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { shardNameOf } from '../../../../datapath/erasure/manifest.ts';
import { scrubErasureObjects } from '../../../../datapath/erasure/scrub.ts';
import { PenstockError } from '../../../../model/errors.ts';
import { all, failAll, impatient, type MemoryRack, memorySite, noise, read, write } from './support.ts';

const CELL_BYTES_IN = 4_100;

async function site() {
  const racks = memorySite();
  const { manifest } = await write(racks, 'a', noise(10_000));
  const holderOf = (index: number): MemoryRack => racks.find(({ id }) => id === manifest.shards[index]?.rack) ?? assert.fail();
  const nameOf = (index: number): string => shardNameOf(manifest, manifest.shards[index] ?? assert.fail());
  return {
    racks,
    holderOf,
    silence: (index: number) => failAll(holderOf(index)),
    lose: (index: number) => holderOf(index).objects.delete(nameOf(index)),
    rot(index: number) {
      const body = holderOf(index).objects.get(nameOf(index)) ?? assert.fail();
      body[CELL_BYTES_IN] = (body[CELL_BYTES_IN] ?? 0) ^ 1;
    },
  };
}

describe('a scrub', () => {
  it('says of a shard on a rack that does not answer that it was not seen, and of one that is gone that it is lost', async () => {
    const { racks, silence, lose } = await site();
    silence(2);
    lose(5);
    const [found] = await all(scrubErasureObjects({ racks, prefix: '', patience: impatient }));
    assert.deepEqual([found?.margin, found?.unseenShards], [2, 1]);
    assert.match(found?.problems[0] ?? '', /^shard 2 on r\d\d was not seen: .*the rack is down/);
    assert.match(found?.problems[1] ?? '', /^shard 5 on r\d\d is lost: /);
  });

  it('has seen a shard that its rack itself denies, by its checksum or with an error of its disk', async () => {
    for (const type of ['ChecksumMismatch', 'IoError'] as const) {
      const { racks, holderOf } = await site();
      holderOf(3).readInto = () => Promise.reject(new PenstockError(type, 'it cannot be read.'));
      const [found] = await all(scrubErasureObjects({ racks, prefix: '', patience: impatient }));
      assert.deepEqual([found?.margin, found?.unseenShards], [3, 0], type);
      assert.match(found?.problems[0] ?? '', /^shard 3 on r\d\d is lost: /);
    }
  });

  it('has seen all where every rack answered', async () => {
    const { racks, lose } = await site();
    lose(5);
    assert.equal((await all(scrubErasureObjects({ racks, prefix: '', patience: impatient })))[0]?.unseenShards, 0);
  });
});

describe('a read with too few shards', () => {
  const refusal = async (racks: readonly MemoryRack[]): Promise<PenstockError> => {
    const error = await read(racks, 'a').catch((thrown: unknown) => thrown);
    assert.ok(error instanceof PenstockError && error.type === 'NotEnoughShards', String(error));
    return error;
  };

  it('counts those that are left, whichever of them have come already, and says how many racks to bring back', async () => {
    const { racks, silence } = await site();
    for (const index of [0, 1, 2, 3, 4]) silence(index);
    const { message, nextStep } = await refusal(racks);
    assert.match(message, /at most 13 cells of the 14 needed are left/);
    assert.equal(nextStep, 'Bring back at least 1 of the racks named that do not answer.');
  });

  it('points to another copy where the cells are rotten, for their racks answer', async () => {
    const { racks, rot, silence } = await site();
    for (const index of [0, 1, 2, 3, 4]) rot(index);
    const rotten = await refusal(racks);
    assert.match(rotten.message, /at most 13 cells of the 14 needed are left/);
    assert.match(rotten.nextStep ?? '', /^No rack that is away.* another copy/);
    silence(9);
    assert.match((await refusal(racks)).nextStep ?? '', /another copy/, 'one rack may not be enough');
  });
});
