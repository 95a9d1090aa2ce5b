/** Every way in which racks can be lost, on eighteen racks that hold one object. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { RackStore } from '../../../../drivers/rack-store/port.ts';
import { PenstockError } from '../../../../model/errors.ts';
import { combinations, type MemoryRack, memorySite, noise, read, write } from './support.ts';

const KEY = 'tenant/project/a1/checkpoints/c1/model.bin';
const RACKS = 18;
const data = noise(900);

describe('an object whose racks are lost', () => {
  it('comes back byte for byte in all 4,048 patterns of up to four', async () => {
    const racks = await stored();
    let patterns = 0;
    for (let count = 0; count <= 4; count++) {
      for (const lost of combinations(RACKS, count)) {
        patterns++;
        assert.ok((await read(without(racks, lost), KEY)).equals(data), `without ${lost.join()}`);
      }
    }
    assert.equal(patterns, 4_048);
  });

  it('is refused in all 8,568 patterns of five, with an error that names the five', async () => {
    const racks = await stored();
    let patterns = 0;
    const types = new Map<string, number>();
    for (const lost of combinations(RACKS, 5)) {
      patterns++;
      const error = await read(without(racks, lost), KEY).then(
        () => assert.fail(`read without ${lost.join()}`),
        (reason: unknown) => reason,
      );
      assert.ok(error instanceof PenstockError, String(error));
      for (const index of lost) assert.match(error.message, new RegExp(`\\b${racks[index]?.id}\\b`), `${lost.join()}: ${error.message}`);
      types.set(error.type, (types.get(error.type) ?? 0) + 1);
    }
    assert.equal(patterns, 8_568);
    // Of five lost racks that held all five copies of the manifest, the manifest is the first thing missed.
    assert.deepEqual(Object.fromEntries(types), { NotEnoughShards: 8_567, StoreUnavailable: 1 });
  });
});

async function stored(): Promise<MemoryRack[]> {
  const racks = memorySite(RACKS);
  await write(racks, KEY, data);
  return racks;
}

/** As quick as can be: what these racks answer, they answer at once. */
function without(racks: readonly MemoryRack[], lost: readonly number[]): RackStore[] {
  return racks.map((rack, index) => (lost.includes(index) ? gone(rack) : quick(rack)));
}

function quick(rack: MemoryRack): RackStore {
  const { objects } = rack;
  return {
    ...rack,
    readManifest: async (key) => objects.get(key),
    list: async (prefix) => ({ keys: [...objects.keys()].filter((key) => key.startsWith(prefix)), next: undefined }),
    shardBytes: async (key) => objects.get(key)?.length,
    readInto: async (key, into, { start = 0 } = {}) => {
      const body = objects.get(key);
      if (!body) throw new PenstockError('NotFound', `${key} is not there.`, { store: rack.id });
      return { bytes: body.copy(into, 0, start), totalBytes: body.length };
    },
  };
}

function gone(rack: MemoryRack): RackStore {
  const refuse = () => Promise.reject(new PenstockError('StoreUnavailable', 'the rack is down.', { store: rack.id }));
  return { ...rack, readManifest: refuse, list: refuse, shardBytes: refuse, readInto: refuse };
}
