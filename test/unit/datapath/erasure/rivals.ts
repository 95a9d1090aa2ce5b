/** Writers that die in their commit, and the racks where they meet. */
import assert from 'node:assert/strict';
import { manifestKey } from '../../../../datapath/erasure/layout.ts';
import { electorsFor } from '../../../../datapath/erasure/manifest-copies.ts';
import type { RackStore } from '../../../../drivers/rack-store/port.ts';
import { PenstockError } from '../../../../model/errors.ts';
import { keysOn, type MemoryRack, write } from './support.ts';

export const electorsOf = (key: string, racks: readonly MemoryRack[]): MemoryRack[] =>
  electorsFor(key, racks).map(({ id }) => racks.find((rack) => rack.id === id) ?? assert.fail(id));

/** No call of the writer has an effect once it has put so many copies; all its shards are there. */
export async function diesAfterManifests(racks: readonly MemoryRack[], key: string, data: Buffer, copies: number): Promise<void> {
  let put = 0;
  const alive = () => {
    if (put >= copies) throw new PenstockError('StoreUnavailable', 'this process is dead.');
  };
  const dying = racks.map(
    (rack): RackStore => ({
      ...rack,
      async writeManifest(name, body, options) {
        alive();
        await rack.writeManifest(name, body, options);
        put++;
      },
      async remove(name, options) {
        alive();
        await rack.remove(name, options);
      },
      // It only puts and removes: comparing is for the others.
      removeIf: undefined,
    }),
  );
  await assert.rejects(write(dying, key, data), { name: 'StoreUnavailable' });
  assert.equal(keysOn(racks, manifestKey(key)).length, copies);
}
