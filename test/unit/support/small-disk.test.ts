import assert from 'node:assert/strict';
import { mkdtemp, open, rm, statfs, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { type SmallDisk, smallDisk } from '../../support/small-disk.ts';

const PAGE_BYTES = 4096;
const pages = (count: number): Buffer => Buffer.alloc(count * PAGE_BYTES, 1);

describe('a small disk', () => {
  let base = '';
  let disk: SmallDisk | undefined;
  beforeEach(async () => {
    base = await mkdtemp(join(tmpdir(), 'penstock-small-'));
    disk = undefined;
  });
  afterEach(async () => {
    await disk?.unmount();
    await rm(base, { recursive: true });
  });

  it('takes what it has room for, less in the middle of a write, and nothing once it is full; all again once it is wide', async () => {
    disk = await smallDisk(join(base, 'disk'), 100 * PAGE_BYTES);
    await writeFile(join(base, 'disk', 'older'), pages(10));
    await disk.leave(3 * PAGE_BYTES);
    const file = await open(join(base, 'disk', 'newer'), 'w');
    try {
      assert.equal((await file.write(pages(5))).bytesWritten, 3 * PAGE_BYTES);
      await assert.rejects(file.write(pages(1)), { code: 'ENOSPC' });
      await disk.widen();
      assert.equal((await file.write(pages(5))).bytesWritten, 5 * PAGE_BYTES);
    } finally {
      await file.close();
    }
  });

  it('is gone once it is unmounted, though something in it is still open', async () => {
    const path = join(base, 'disk');
    const small = await smallDisk(path, 100 * PAGE_BYTES);
    const file = await open(join(path, 'open'), 'w');
    const before = await statfs(path);
    await small.unmount();
    assert.notEqual((await statfs(path)).blocks, before.blocks);
    await file.close();
  });

  it('that cannot be mounted says so: a test of a full disk is not left out', async () => {
    await assert.rejects(smallDisk(join(base, 'disk'), Number.NaN), /a full disk is a tmpfs of its own size, and .*disk cannot be one: .*Run it as root/s);
  });
});
