import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { HEADER_BYTES, shardKey } from '../../../../datapath/erasure/layout.ts';
import { memorySite, noise, write } from './support.ts';

const decoder = fileURLToPath(new URL('../../../../docs/formats/erasure_decode.py', import.meta.url));
const run = promisify(execFile);
let directory = '';
before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'penstock-decode-'));
});
after(() => rm(directory, { recursive: true }));

/** The shards as files in no particular order and under names that say nothing, and no manifest. */
async function shardFiles(bytes: number, label: string): Promise<{ data: Buffer; files: string[] }> {
  const racks = memorySite();
  const data = noise(bytes, bytes);
  const { manifest } = await write(racks, `formats/${label}`, data);
  const files = await Promise.all(
    manifest.shards.map(async ({ index, rack }) => {
      const shard = racks.find(({ id }) => id === rack)?.objects.get(shardKey(manifest.key, manifest.writeId, index));
      assert.ok(shard);
      const file = join(directory, `${label}-${index}`);
      await writeFile(file, shard);
      return file;
    }),
  );
  return { data, files };
}

describe('the stand-alone decoder in Python', () => {
  for (const bytes of [0, 1, 5_000, 150_001]) {
    it(`restores ${bytes} bytes from the last fourteen shards`, async () => {
      const { data, files } = await shardFiles(bytes, `last-${bytes}`);
      const output = join(directory, `out-${bytes}`);
      const { stdout } = await run('python3', [decoder, output, ...files.slice(4).reverse()]);
      assert.match(stdout, new RegExp(`formats/last-${bytes}`));
      assert.ok((await readFile(output)).equals(data));
    });
  }

  it('does without rotten cells, damaged shards and shards of another object', async () => {
    const { data, files } = await shardFiles(20_000, 'mixed');
    const { files: foreign } = await shardFiles(10_000, 'foreign');
    const damage = async (file: string, position: number) => {
      const shard = await readFile(file);
      shard[position] = (shard[position] ?? 0) ^ 1;
      await writeFile(file, shard);
    };
    await damage(files[0] ?? '', HEADER_BYTES + 3);
    await damage(files[5] ?? '', 60);
    await damage(files[16] ?? '', HEADER_BYTES + 9);
    const output = join(directory, 'out-mixed');
    const { stderr } = await run('python3', [decoder, output, ...files.slice(0, 9), ...foreign.slice(0, 5), ...files.slice(9)]);
    assert.match(stderr, /shard 0: cell 0 is rotten/);
    assert.match(stderr, /header's CRC32C differs/);
    assert.ok((await readFile(output)).equals(data));
  });

  it('refuses thirteen shards and writes no output', async () => {
    const { files } = await shardFiles(100, 'thirteen');
    const output = join(directory, 'out-thirteen');
    await assert.rejects(run('python3', [decoder, output, ...files.slice(5)]), /at least 14 sound shards/);
    await assert.rejects(readFile(output), { code: 'ENOENT' });
  });
});
