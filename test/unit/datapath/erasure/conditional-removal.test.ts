/** Manifests are removed only as they were read: racks in directories, and buckets of stores that cannot compare. */
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { type ManifestCopy, surveyManifests } from '../../../../datapath/erasure/manifest-copies.ts';
import { removeCopies } from '../../../../datapath/erasure/remove-copies.ts';
import { createDirectoryRack } from '../../../../drivers/rack-store/directory-rack.ts';
import { takeIfUnchanged } from '../../../../drivers/rack-store/directory-remove.ts';
import { conditionalRemovalContract, undividedRemovalContract } from './conditional-removal-contract.ts';
import { impatient, type MemoryRack, memoryRack } from './support.ts';

const NAME = 'ec/v1/manifests/a/@manifest.jsonl';
let base = '';
let serial = 0;
before(async () => {
  base = await mkdtemp(join(tmpdir(), 'penstock-removal-'));
});
after(() => rm(base, { recursive: true }));

async function newDirectory(): Promise<string> {
  const root = join(base, String(++serial));
  await mkdir(root);
  return root;
}

describe('a rack in memory', () => {
  const newRack = async () => memoryRack('r01', 'room-a');
  conditionalRemovalContract(newRack);
  undividedRemovalContract(newRack);
});

describe('a rack in a directory', () => {
  const newRack = async () => createDirectoryRack({ id: 'r01', room: 'room-a', root: await newDirectory() });
  conditionalRemovalContract(newRack);
  undividedRemovalContract(newRack);

  it('leaves neither temporary files nor empty directories behind', async () => {
    const root = await newDirectory();
    const rack = createDirectoryRack({ id: 'r01', room: 'room-a', root });
    await rack.writeManifest(NAME, Buffer.from('1'));
    await rack.removeIf?.(NAME, Buffer.from('1'));
    assert.deepEqual(await readdir(root), []);
  });

  it('that is gone says so, and not that the manifest is', async () => {
    const root = await newDirectory();
    const rack = createDirectoryRack({ id: 'r01', room: 'room-a', root });
    await rm(root, { recursive: true });
    await assert.rejects(async () => rack.removeIf?.(NAME, Buffer.from('1')), { name: 'StoreUnavailable' });
  });

  it('puts back what came between its look and its removal', async () => {
    const root = await newDirectory();
    const path = join(root, 'manifest');
    await writeFile(path, 'the successor');
    assert.equal(await takeIfUnchanged(path, Buffer.from('the first')), 'changed');
    assert.equal(await readFile(path, 'utf8'), 'the successor');
    assert.deepEqual(await readdir(root), ['manifest']);
    assert.equal(await takeIfUnchanged(path, Buffer.from('the successor')), 'gone');
    assert.deepEqual(await readdir(root), []);
    assert.equal(await takeIfUnchanged(path, Buffer.from('the successor')), 'gone');
  });
});

describe('removing copies', () => {
  const isDoomed = ({ state }: ManifestCopy): boolean => state === 'damaged';

  it('looks again where another one came meanwhile, and tells where that goes on', async () => {
    const racks = [memoryRack('r01', 'room-a'), memoryRack('r02', 'room-a')] as const;
    for (const { objects } of racks) objects.set(NAME, Buffer.from('damaged'));
    replacedAtEachLook(racks[1]);
    const left = await removeCopies(racks, NAME, isDoomed, { patience: impatient });
    assert.deepEqual([...left.keys()], ['r02']);
    assert.match(left.get('r02') ?? '', /another one at each of 5 looks/);
    assert.deepEqual(
      (await surveyManifests(racks, NAME, { patience: impatient })).map(({ state }) => state),
      ['absent', 'damaged'],
    );
  });
});

/** Somebody is always faster. */
function replacedAtEachLook({ objects, faults }: MemoryRack): void {
  let looks = 0;
  faults.set('removeIf', () => {
    objects.set(NAME, Buffer.from(`damaged otherwise, ${++looks}`));
    return undefined;
  });
}
