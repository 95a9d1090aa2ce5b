import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { verifyErasureObject } from '../../../../datapath/erasure/index.ts';
import { createDirectoryRack } from '../../../../drivers/rack-store/directory-rack.ts';
import type { RackStore } from '../../../../drivers/rack-store/port.ts';
import { noise, read, write } from '../../datapath/erasure/support.ts';
import { rackContract } from './contract.ts';

let base = '';
let serial = 0;
before(async () => {
  base = await mkdtemp(join(tmpdir(), 'penstock-racks-'));
});
after(() => rm(base, { recursive: true }));

async function newDirectory(): Promise<string> {
  const root = join(base, String(++serial));
  await mkdir(root);
  return root;
}

describe('a rack in a directory', () => {
  rackContract(async () => {
    const root = await newDirectory();
    return { rack: createDirectoryRack({ id: 'r01', room: 'room-a', root }), takeAway: () => rm(root, { recursive: true }) };
  });

  it('leaves neither temporary files nor empty directories behind', async () => {
    const root = await newDirectory();
    const rack = createDirectoryRack({ id: 'r01', room: 'room-a', root });
    await rack.writeManifest('ec/a/b/c', Buffer.from('1'));
    await assert.rejects(rack.writeManifest('ec/a/b/c', Buffer.from('2')), { name: 'Conflict' });
    await rack.remove('ec/a/b/c');
    assert.deepEqual(await readdir(root), []);
  });

  it('refuses keys that lead elsewhere', async () => {
    const rack = createDirectoryRack({ id: 'r01', room: 'room-a', root: await newDirectory() });
    for (const key of ['../x', 'a/../../x', '/x', 'a//b', 'a/./b', '']) await assert.rejects(async () => rack.shardBytes(key), { name: 'InvalidInput' }, key);
  });

  it('keeps erasure objects, also with four directories deleted', async () => {
    const roots = await Promise.all(Array.from({ length: 20 }, newDirectory));
    const racks: RackStore[] = roots.map((root, index) => createDirectoryRack({ id: `r${index}`, room: `room-${index % 4}`, root }));
    const data = noise(20_000_000);
    const { manifest } = await write(racks, 'tenant/project/a1/model.bin', data, { patience: undefined });
    assert.ok((await verifyErasureObject({ racks, key: manifest.key })).ok);
    for (const { rack } of manifest.shards.slice(0, 4)) await rm(roots[Number(rack.slice(1))] ?? '', { recursive: true });
    assert.ok((await read(racks, manifest.key)).equals(data));
  });
});
