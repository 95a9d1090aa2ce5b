import assert from 'node:assert/strict';
import { constants } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, readlink, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { openRingDevice } from '../../../datapath/checkpoint/ring-device.ts';
import { LEAST_RING_BYTES } from '../../../datapath/checkpoint/ring-format.ts';
import { allocateAligned } from '../../../datapath/native/aligned.ts';
import { createDurableFile, identityAt } from '../../../drivers/file-store/durable-file.ts';
import { contentOf } from '../../support/fault-proxy-random.ts';
import { ofType } from '../../support/of-type.ts';

const BLOCK_BYTES = 4096;

/** What the kernel says of how this process has the file open. */
async function openFlags(path: string): Promise<number> {
  for (const fd of await readdir('/proc/self/fd')) {
    if ((await readlink(`/proc/self/fd/${fd}`).catch(() => '')) !== path) continue;
    const info = await readFile(`/proc/self/fdinfo/${fd}`, 'utf8');
    return Number.parseInt(/^flags:\s+(\d+)$/m.exec(info)?.[1] ?? '', 8);
  }
  throw new Error(`${path} is not open`);
}

describe('a durable file', () => {
  let root = '';
  before(async () => {
    root = await mkdtemp(join(tmpdir(), 'penstock-durable-'));
  });
  after(() => rm(root, { recursive: true }));
  const tree = () => ({ name: 'rack', root });

  it('is opened so that each write is durable, and a ring too', async () => {
    const file = await createDurableFile(tree(), 'a/b/flags', { mayBeDirect: true });
    const device = await openRingDevice({ path: join(root, 'ring'), bytes: LEAST_RING_BYTES, access: 'write' });
    for (const [path, durability] of [
      ['a/b/flags', file.durability],
      ['ring', device.durability],
    ] as const) {
      const flags = await openFlags(join(root, path));
      assert.ok(flags & constants.O_DSYNC, `${path} is open without O_DSYNC`);
      // tmpfs and some network file systems refuse it; then the text says so.
      assert.equal(durability.includes('O_DIRECT'), (flags & constants.O_DIRECT) !== 0 && !durability.includes('tmpfs'));
    }
    await Promise.all([file.close(), device.close()]);
  });

  it('holds what was written in any order, without the padding, and room taken beforehand is given back', async () => {
    const content = contentOf(3 * BLOCK_BYTES + 17, 'content');
    const padded = await allocateAligned(4 * BLOCK_BYTES, BLOCK_BYTES);
    content.copy(padded);
    const file = await createDurableFile(tree(), 'content', { mayBeDirect: true, expectedBytes: 9 * 2 ** 20 });
    await file.write(padded.subarray(2 * BLOCK_BYTES), 2 * BLOCK_BYTES);
    await file.write(padded.subarray(0, 2 * BLOCK_BYTES), 0);
    await file.end(content.length);
    assert.ok((await readFile(join(root, 'content'))).equals(content));
  });

  it('takes no name that is taken, and follows no link', async () => {
    await (await createDurableFile(tree(), 'taken', { mayBeDirect: true })).end(0);
    await assert.rejects(createDurableFile(tree(), 'taken', { mayBeDirect: true }), ofType('Conflict'));
    await mkdir(join(root, 'elsewhere'));
    await symlink(join(root, 'elsewhere'), join(root, 'link'));
    await assert.rejects(createDurableFile(tree(), 'link/file', { mayBeDirect: true }), ofType('Denied'));
    assert.deepEqual(await readdir(join(root, 'elsewhere')), []);
  });

  it('is told from the one that replaces it', async () => {
    const identity = await (await createDurableFile(tree(), 'replaced', { mayBeDirect: true })).end(0);
    assert.equal(await identityAt(tree(), 'replaced'), identity);
    await rm(join(root, 'replaced'));
    assert.equal(await identityAt(tree(), 'replaced'), undefined);
    await (await createDurableFile(tree(), 'replaced', { mayBeDirect: true })).end(0);
    assert.notEqual(await identityAt(tree(), 'replaced'), identity);
  });
});
