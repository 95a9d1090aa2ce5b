/** Shards that no manifest names, because a repair died before its commit: whoever has too few of the others reads them. */
import assert from 'node:assert/strict';
import { buffer } from 'node:stream/consumers';
import { describe, it } from 'node:test';
import { readErasureObject } from '../../../../datapath/erasure/index.ts';
import { manifestsOf, parseShardName, shardPrefix } from '../../../../datapath/erasure/layout.ts';
import type { RackStore } from '../../../../drivers/rack-store/port.ts';
import { PenstockError } from '../../../../model/errors.ts';
import { damaged, KEY, repair } from './damage.ts';
import { impatient, keysOn, type MemoryRack, noise, read } from './support.ts';

/** A repair has made two shards again and died; then racks of three others are lost, so that 13 are left that the manifest names. */
async function diedBeforeCommit(bytes: number): Promise<{ racks: MemoryRack[]; data: Buffer }> {
  const { left, data, manifest } = await damaged([2, 16], bytes);
  await repair(dyingBeforeCommit(left)).catch(() => undefined);
  assert.equal(keysOn(left, shardPrefix(KEY)).filter(isMade).length, 2);
  assert.deepEqual(keysOn(left, `${manifestsOf(KEY)}2.`), []);
  const lost = manifest.shards.filter(({ index }) => [0, 5, 17].includes(index)).map(({ rack }) => rack);
  return { racks: left.filter(({ id }) => !lost.includes(id)), data };
}

/** No call of the process has an effect once it would put its own manifest. */
function dyingBeforeCommit(racks: readonly MemoryRack[]): RackStore[] {
  let isDead = false;
  const alive = () => {
    if (isDead) throw new PenstockError('StoreUnavailable', 'this process is dead.');
  };
  return racks.map((rack) => ({
    ...rack,
    async writeManifest(name, body, options) {
      isDead ||= name.startsWith(`${manifestsOf(KEY)}2.`);
      alive();
      await rack.writeManifest(name, body, options);
    },
    async remove(name, options) {
      alive();
      await rack.remove(name, options);
    },
  }));
}

/** Of names, also behind their rack's. */
const isMade = (name: string): boolean => parseShardName(name.replace(/^r\d\d:/, ''))?.repairId !== undefined;

describe('a read with 13 shards that its manifest names', () => {
  for (const bytes of [2_000, 20_000_000]) {
    it(`takes those of a repair that died before its commit (${bytes} bytes)`, async () => {
      const { racks, data } = await diedBeforeCommit(bytes);
      assert.ok((await read(racks, KEY)).equals(data));
      const range = { start: 500, end: 1_700 };
      const { content } = await readErasureObject({ racks, key: KEY, range, patience: impatient });
      assert.ok((await buffer(content)).equals(data.subarray(500, 1_701)));
    });
  }

  it('takes none that is damaged, gone, another one, or on a rack that is down: it fails, and names what is lost', async () => {
    const spoils: ((rack: MemoryRack, name: string, body: Buffer) => void)[] = [
      ({ objects }, name, body) => objects.set(name, Buffer.concat([body.subarray(0, -1), Buffer.of(0)])),
      ({ objects }, name) => objects.delete(name),
      ({ objects }, name, body) => objects.set(name, noise(body.length)),
      ({ faults }) => faults.set('readInto', 'fail'),
    ];
    for (const spoil of spoils) {
      const { racks } = await diedBeforeCommit(2_000);
      for (const rack of racks) for (const [name, body] of [...rack.objects]) if (isMade(name)) spoil(rack, name, body);
      await assert.rejects(read(racks, KEY), { name: 'NotEnoughShards', message: /cannot be restored.*shard 2 lost/ });
    }
  });
});
