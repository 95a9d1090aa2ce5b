import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { type CheckpointCopy, type RestoreTarget, restoreNearest } from '../../../../datapath/checkpoint/nearest.ts';
import { AREA_START, BLOCK_BYTES, CHUNK_BYTES } from '../../../../datapath/checkpoint/ring-format.ts';
import { scanRing } from '../../../../datapath/checkpoint/ring-scan.ts';
import { PenstockError } from '../../../../model/errors.ts';
import { checkpointPlaces, DIRECTORY, once } from '../../../support/checkpoint-places.ts';
import { contentOf } from '../../../support/fault-proxy-random.ts';
import { ofType } from '../../../support/of-type.ts';

const files = new Map([
  ['a/model.bin', contentOf(CHUNK_BYTES + 70_001, 1)],
  ['empty', Buffer.alloc(0)],
  ['z', contentOf(4096, 2)],
]);

let places: Awaited<ReturnType<typeof checkpointPlaces>>;
let target: RestoreTarget;
beforeEach(async () => {
  places = await checkpointPlaces();
  target = { store: places.target, directory: 'restored', attempt: 'test', signal: new AbortController().signal };
});
afterEach(() => places.remove());

async function write(isCommitted = true): Promise<void> {
  const writer = await places.writer();
  for (const [path, content] of files) await writer.addFile(path, once(content));
  if (isCommitted) await writer.commit();
  await writer.close();
}
async function damageRing(path: string): Promise<void> {
  const entry = (await scanRing(places.disk.open()))?.entries.find(({ header }) => header?.path === path);
  assert.ok(entry);
  const at = AREA_START + entry.position + BLOCK_BYTES;
  places.disk.content[at] = (places.disk.content[at] ?? 0) ^ 1;
}
async function assertRestored(): Promise<void> {
  for (const [path, content] of files) assert.ok((await places.target.readBytes(`restored/${path}`)).equals(content), path);
}

describe('a restore from the nearest whole copy', () => {
  it('takes the ring, byte for byte', async () => {
    await write();
    const { from, faults, files: count } = await restoreNearest('step-1', await places.copies(), target);
    assert.deepEqual([from, faults, count], [{ ring: 3 }, [], 3]);
    await assertRestored();
  });

  it('takes from the rack what is damaged in the ring, and says so', async () => {
    await write();
    await damageRing('a/model.bin');
    const { from, faults } = await restoreNearest('step-1', await places.copies(), target);
    assert.deepEqual(from, { ring: 2, rack: 1 });
    assert.deepEqual(
      faults.map(({ copy, path }) => [copy, path]),
      [['ring', 'a/model.bin']],
    );
    assert.match(faults[0]?.reason ?? '', /the record of a\/model.bin at 0 is damaged/);
    await assertRestored();
  });

  it('publishes nothing of a file that is whole in no copy', async () => {
    await write();
    await damageRing('a/model.bin');
    await places.rack.write(`${DIRECTORY}/a/model.bin`, Readable.from([contentOf(CHUNK_BYTES + 70_001, 9)]), { replace: true });
    await assert.rejects(
      restoreNearest('step-1', await places.copies(), target),
      (error) => ofType('CheckpointIncomplete')(error) && error instanceof Error && /ring, a\/model\.bin: .*rack, a\/model\.bin:/.test(error.message),
    );
    assert.deepEqual(await readdir(join(places.target.root, 'restored', 'a')), []);
  });

  it('takes the rack where the ring is gone, and the ring where the rack is', async () => {
    await write();
    const [ring, rack, ...further] = await places.copies();
    assert.ok(ring && rack);
    assert.deepEqual((await restoreNearest('step-1', [rack, ...further], target)).from, { rack: 3 });
    const away: CheckpointCopy = { ...rack, record: () => Promise.reject(new PenstockError('StoreUnavailable', 'the rack is away')) };
    assert.deepEqual((await restoreNearest('step-1', [ring, away, ...further], target)).from, { ring: 3 });
    await assertRestored();
  });

  it('takes the erasure set once the rack has let go of its copy, for what the ring cannot give', async () => {
    await write();
    await places.drain('step-1');
    await damageRing('z');
    assert.deepEqual((await restoreNearest('step-1', await places.copies(), target)).from, { ring: 2, 'erasure set': 1 });
    await assertRestored();
  });

  it('is never of one that was not committed', async () => {
    await write(false);
    await assert.rejects(restoreNearest('step-1', await places.copies(), target), ofType('NotFound'));
    assert.deepEqual(await readdir(places.target.root), []);
  });
});
