/** What removing under a condition must do, on every kind of rack that can compare. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { RackStore } from '../../../../drivers/rack-store/port.ts';

const NAME = 'ec/v1/manifests/a/@manifest.jsonl';
const FIRST = Buffer.from('the first\n');

const removeIf = async (rack: RackStore, content: Buffer) => (await rack.removeIf?.(NAME, content)) ?? assert.fail('it cannot compare');

export function conditionalRemovalContract(newRack: () => Promise<RackStore>): void {
  it('takes what is as it was read, and is done where nothing is', async () => {
    const rack = await newRack();
    await rack.writeManifest(NAME, FIRST);
    assert.equal(await removeIf(rack, FIRST), 'gone');
    assert.equal(await rack.readManifest(NAME), undefined);
    assert.equal(await removeIf(rack, FIRST), 'gone');
    assert.deepEqual((await rack.list('ec/')).keys, []);
  });

  for (const [what, other] of [
    ['longer', 'the first\n and more\n'],
    ['as long', 'the secon\n'],
    ['shorter', 'the\n'],
  ] as const) {
    it(`leaves another one that is ${what}, and says so`, async () => {
      const rack = await newRack();
      await rack.writeManifest(NAME, Buffer.from(other));
      assert.equal(await removeIf(rack, FIRST), 'changed');
      assert.equal((await rack.readManifest(NAME))?.toString(), other);
      assert.deepEqual((await rack.list('ec/')).keys, [NAME]);
    });
  }
}

/** For those that compare and remove as one: a gateway before a file system does it in two steps, of its own and close together. */
export function undividedRemovalContract(newRack: () => Promise<RackStore>): void {
  it('never takes the successor of what somebody else removes and replaces at the same time', async () => {
    const rack = await newRack();
    for (let round = 0; round < 50; round++) {
      const successor = Buffer.from(`successor ${round}\n`);
      await rack.writeManifest(NAME, FIRST);
      const replaced = (async () => {
        await rack.remove(NAME);
        await rack.writeManifest(NAME, successor);
      })();
      await Promise.all([replaced, ...[1, 2, 3].map(() => removeIf(rack, FIRST))]);
      assert.equal((await rack.readManifest(NAME))?.toString(), successor.toString(), `round ${round}`);
      assert.equal(await removeIf(rack, successor), 'gone');
    }
  });
}
