/** A checkpoint that turns out to be unreadable on the way: what is left at the target, and when its failure is told. */
import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { drainFiles } from '../../../../datapath/checkpoint/drain.ts';
import { restoreFiles } from '../../../../datapath/checkpoint/restore.ts';
import { findErasureObject, listErasureObjects } from '../../../../datapath/erasure/index.ts';
import { shardNameOf } from '../../../../datapath/erasure/manifest.ts';
import { TEMPORARY_PREFIX } from '../../../../drivers/file-store/contained-path.ts';
import type { FileStore } from '../../../../drivers/file-store/port.ts';
import { PenstockError } from '../../../../model/errors.ts';
import { temporariesOf } from '../../../support/posix-store.ts';
import { noise } from '../erasure/support.ts';
import { checkpointSite, PREFIX } from './support.ts';

const SLOW_DISK_MS = 100;
const isUnreadable = (error: unknown): boolean => error instanceof PenstockError && (error.type === 'NotEnoughShards' || error.type === 'CorruptSource');

describe('a restore whose object cannot be read to its end', () => {
  let site: Awaited<ReturnType<typeof checkpointSite>>;
  beforeEach(async () => {
    site = await checkpointSite();
  });
  afterEach(() => site.close());

  /** The last stripe of the object is more than parity can mend; all before it is sound. */
  async function ruinEnd(key: string): Promise<void> {
    const manifest = await findErasureObject({ racks: site.racks, key });
    assert.ok(manifest && manifest.stripes > 1, 'it has a stripe that is sound');
    const cellsAt = manifest.cellBytes * (manifest.stripes - 1);
    for (const shard of manifest.shards.slice(0, 5)) {
      const objects = site.racks.find(({ id }) => id === shard.rack)?.objects;
      const body = Buffer.from(objects?.get(shardNameOf(manifest, shard)) ?? []);
      // Behind the header and the cells before, and in the last one.
      const at = cellsAt + Math.floor((body.length - cellsAt) / 2);
      body[at] = (body[at] ?? 0) ^ 1;
      objects?.set(shardNameOf(manifest, shard), body);
    }
  }
  const namesBack = async (): Promise<string[]> =>
    (await readdir(site.hot.root, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile()).map(({ name }) => name);

  it('leaves neither a part of the file under its name nor a temporary one', async () => {
    await site.commit(new Map([['model.bin', noise(16_000_000)]]));
    await drainFiles(site.drain);
    await ruinEnd(`${PREFIX}model.bin`);
    const seen = new Set<string>();
    async function* watched(content: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
      for await (const chunk of content) {
        for (const name of await namesBack()) seen.add(name.slice(0, TEMPORARY_PREFIX.length));
        yield chunk;
      }
    }
    const write: FileStore['write'] = (path, content, options) =>
      site.hot.write(path, Buffer.isBuffer(content) ? content : Readable.from(watched(content)), options);
    await assert.rejects(restoreFiles({ ...site.restore, target: { ...site.hot, write } }), isUnreadable);
    assert.deepEqual([[...seen], await namesBack()], [[TEMPORARY_PREFIX], []]);
  });

  it('of a pack is told when what was begun of its files has been written, and each of them is whole', async () => {
    const files = new Map(Array.from({ length: 8 }, (_, index) => [`part-${index}`, noise(2_000_000, index + 1)]));
    await site.commit(files);
    await drainFiles(site.drain);
    const [pack = ''] = (await listErasureObjects({ racks: site.racks, prefix: `${PREFIX}penstock-packs/` })).keys;
    await ruinEnd(pack);
    const [begun, ended]: [string[], string[]] = [[], []];
    const write: FileStore['write'] = async (path, content, options) => {
      begun.push(path);
      await delay(SLOW_DISK_MS);
      const facts = await site.hot.write(path, content, options);
      ended.push(path);
      return facts;
    };
    await assert.rejects(restoreFiles({ ...site.restore, target: { ...site.hot, write } }), isUnreadable);
    assert.ok(begun.length > 0 && begun.length < files.size, `${begun.length} of ${files.size} files were begun`);
    assert.deepEqual(ended.sort(), begun.sort(), 'nothing goes on behind the caller');
    for (const [path, content] of await site.restored()) assert.ok(files.get(path)?.equals(content), `${path} is what was committed`);
    assert.deepEqual(await temporariesOf(site.hot), []);
  });
});
