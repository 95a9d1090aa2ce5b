import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { crc32c } from '@node-rs/crc32';
import { packOf } from '../../../../datapath/erasure/index.ts';
import { HEADER_BYTES, shardKey } from '../../../../datapath/erasure/layout.ts';
import { memorySite, noise, sha256, write } from './support.ts';

const decoder = fileURLToPath(new URL('../../../../docs/formats/erasure_decode.py', import.meta.url));
const decode = (...parameters: string[]) => promisify(execFile)('python3', [decoder, ...parameters]);
let directory = '';
before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'penstock-decode-'));
});
after(() => rm(directory, { recursive: true }));

/** The shards as files in no particular order and under names that say nothing, and no manifest. */
async function shardFiles(data: Buffer, label: string): Promise<{ files: string[]; writeId: string }> {
  const racks = memorySite();
  const { manifest } = await write(racks, `formats/${label}`, data);
  await mkdir(join(directory, label));
  const files = await Promise.all(
    manifest.shards.map(async ({ index, rack }) => {
      const shard = racks.find(({ id }) => id === rack)?.objects.get(shardKey(manifest.key, manifest.writeId, index));
      assert.ok(shard);
      const file = join(directory, label, sha256(Buffer.from(`${label}-${index}`)).slice(0, 8));
      await writeFile(file, shard);
      return file;
    }),
  );
  return { files, writeId: manifest.writeId };
}

/** Fourteen of eighteen, and in another order; the same for the same seed. */
function fourteenOf(files: readonly string[], seed: number): string[] {
  return files
    .map((file, index) => ({ file, rank: sha256(Buffer.from(`${seed} ${index}`)) }))
    .sort((a, b) => (a.rank < b.rank ? -1 : 1))
    .slice(0, 14)
    .map(({ file }) => file);
}

async function damage(file: string, position: number): Promise<void> {
  const shard = await readFile(file);
  shard[position] = (shard[position] ?? 0) ^ 1;
  await writeFile(file, shard);
}

/** Neither it nor a part of it. */
async function assertAbsent(output: string): Promise<void> {
  for (const path of [output, `${output}.part`]) await assert.rejects(stat(path), { code: 'ENOENT' });
}

function packData(contents: ReadonlyMap<string, Buffer>): Buffer {
  const members = [...contents].map(([name, content]) => ({
    name,
    content,
    bytes: content.length,
    crc32c: crc32c(content),
    modifiedAtMilliseconds: 1_772_600_767_000,
    mode: 0o640,
  }));
  return Buffer.concat([...contents.values(), packOf(members).end]);
}

describe('the stand-alone decoder in Python', () => {
  for (const [what, bytes] of [
    ['nothing', 0],
    ['one byte', 1],
    ['some bytes', 5_000],
    ['exactly a stripe', 14 * 4096],
    ['two stripes of large cells', 14 * 1_048_576 + 1],
  ] as const) {
    it(`restores ${what} from fourteen arbitrary shards`, async () => {
      const data = noise(bytes, bytes);
      const { files } = await shardFiles(data, `arbitrary-${bytes}`);
      for (const seed of bytes > 1_000_000 ? [1] : [1, 2, 3]) {
        const output = join(directory, `out-${bytes}-${seed}`);
        const { stdout } = await decode(output, ...fourteenOf(files, seed));
        assert.match(stdout, new RegExp(`formats/arbitrary-${bytes}`));
        assert.ok((await readFile(output)).equals(data), `seed ${seed}`);
      }
    });
  }

  it('does without rotten cells, damaged and cut shards, foreign ones and what is no shard', async () => {
    const data = noise(20_000, 5);
    const { files } = await shardFiles(data, 'mixed');
    const { files: foreign } = await shardFiles(noise(10_000), 'foreign');
    const [rottenData = '', cut = '', badHeader = '', rottenParity = ''] = [files[0], files[4], files[5], files[16]];
    await damage(rottenData, HEADER_BYTES + 3);
    await damage(badHeader, 60);
    await damage(rottenParity, HEADER_BYTES + 9);
    await truncate(cut, 5_000);
    const noShard = join(directory, 'no-shard');
    await writeFile(noShard, 'something else');
    const output = join(directory, 'out-mixed');
    const { stderr } = await decode(output, ...files.slice(0, 9), noShard, ...foreign.slice(0, 13), ...files.slice(9));
    assert.match(stderr, /shard 0: cell 0 is rotten/);
    assert.match(stderr, /header's CRC32C differs/);
    assert.match(stderr, /its length is wrong/);
    assert.match(stderr, /no-shard: not used: does not begin like a shard/);
    assert.ok((await readFile(output)).equals(data));
  });

  it('takes of two shards of one index, such as one that a repair has rebuilt beside it, the one that is sound', async () => {
    const data = noise(20_000, 9);
    const { files } = await shardFiles(data, 'twice');
    const rotten = join(directory, 'rotten');
    await copyFile(files[3] ?? '', rotten);
    await damage(rotten, HEADER_BYTES + 7);
    for (const shards of [
      [...files.slice(0, 14), rotten],
      [rotten, ...files.slice(0, 14)],
    ]) {
      const output = join(directory, 'out-twice');
      await decode(output, ...shards);
      assert.ok((await readFile(output)).equals(data));
      assert.match((await decode('--verify', ...shards)).stdout, /right, 0 racks may be lost; lost or rotten shards: \[14, 15, 16, 17\]/);
    }
  });

  it('refuses thirteen shards, be there others of another write, of another kind or twice the same, and writes no output', async () => {
    const { files } = await shardFiles(noise(100), 'thirteen');
    const { files: others } = await shardFiles(noise(100), 'others');
    const again = join(directory, 'again');
    await copyFile(files[17] ?? '', again);
    const otherCode = await readFile(files[0] ?? '');
    otherCode.writeUInt8(13, 12);
    otherCode.writeUInt32LE(crc32c(otherCode.subarray(0, 4092)), 4092);
    await writeFile(join(directory, 'other-code'), otherCode);
    const output = join(directory, 'out-thirteen');
    await assert.rejects(decode(output, ...files.slice(5), ...others.slice(5), again, join(directory, 'other-code')), (error) => {
      assert.match(String(error), /at least 14 sound shards of one write id; found .*13 shards of 'formats\/others'.*13 shards of 'formats\/thirteen'/s);
      assert.match(String(error), /other-code: not used: unknown version or code/);
      return true;
    });
    await assertAbsent(output);
  });

  it('refuses a stripe with five rotten cells, and leaves nothing of the output', async () => {
    const { files } = await shardFiles(noise(3_000), 'five');
    for (const file of files.slice(2, 7)) await damage(file, HEADER_BYTES);
    const output = join(directory, 'out-five');
    await assert.rejects(decode(output, ...files), /stripe 0 has 13 sound cells, 14 are needed/);
    await assertAbsent(output);
  });

  it('tells objects apart by their write ids, and restores the one that is chosen or all of them', async () => {
    const [first, second] = [noise(700, 1), noise(900, 2)];
    const one = await shardFiles(first, 'one');
    const two = await shardFiles(second, 'two');
    const both = [join(directory, 'one'), join(directory, 'two')];
    const output = join(directory, 'out-chosen');
    await assert.rejects(decode(output, ...both), /the shards of 2 objects; choose one with --write-id/);
    await assertAbsent(output);
    await decode('--write-id', two.writeId.slice(0, 12), output, ...both);
    assert.ok((await readFile(output)).equals(second));
    await decode('--all', join(directory, 'all'), ...fourteenOf(one.files, 4), ...fourteenOf(two.files, 5));
    assert.deepEqual((await readdir(join(directory, 'all', 'formats'))).sort(), ['one', 'two']);
    assert.ok((await readFile(join(directory, 'all', 'formats', 'one'))).equals(first));
    const rest = decode('--all', join(directory, 'rest'), ...fourteenOf(one.files, 6).slice(1), ...two.files);
    await assert.rejects(rest, /not restored \(14 shards of one write id are needed\): .*13 shards of 'formats\/one'/);
    assert.deepEqual(await readdir(join(directory, 'rest', 'formats')), ['two'], 'what can be restored is');
  });

  it('lists the members of a pack and extracts one, from fourteen arbitrary shards', async () => {
    const contents = new Map([
      ['empty', Buffer.alloc(0)],
      ['layers/0001.bin', noise(4_000, 7)],
      ['layers/ü.bin', noise(999, 8)],
    ]);
    const { files } = await shardFiles(packData(contents), 'pack');
    const { stdout } = await decode('--list', ...fourteenOf(files, 6));
    assert.match(stdout, /14 shards {2}\d+ bytes {2}'formats\/pack'/);
    for (const [name, content] of contents) {
      assert.match(stdout, new RegExp(`0640 +${content.length} +${crc32c(content).toString(16).padStart(8, '0')} +'${name}'`));
      const output = join(directory, 'out-member');
      await decode('--member', name, output, ...fourteenOf(files, content.length));
      assert.ok((await readFile(output)).equals(content), name);
      const { mode, mtime } = await stat(output);
      assert.deepEqual([mode & 0o777, mtime.getTime()], [0o640, 1_772_600_767_000]);
    }
    const output = join(directory, 'out-nowhere');
    await assert.rejects(decode('--member', 'nowhere', output, ...files), /has a member 'nowhere'/);
    await assertAbsent(output);
  });

  it('refuses a pack whose content is not what its index says', async () => {
    const data = packData(new Map([['a', noise(500)]]));
    data[3] = (data[3] ?? 0) ^ 1;
    const { files } = await shardFiles(data, 'lying-pack');
    const output = join(directory, 'out-lying');
    await assert.rejects(decode('--member', 'a', output, ...files), /the member 'a' has another CRC32C/);
    await assertAbsent(output);
    await assert.rejects(decode('--verify', ...files), /the member 'a' has another CRC32C/);
  });

  it('verifies every shard, and says how many racks may still be lost', async () => {
    const { files } = await shardFiles(packData(new Map([['a', noise(5_000)]])), 'verify');
    assert.match((await decode('--verify', ...files)).stdout, /'formats\/verify': right, 4 racks may be lost; lost or rotten shards: none/);
    await damage(files[15] ?? '', HEADER_BYTES + 1);
    assert.match((await decode('--verify', ...files.slice(1))).stdout, /right, 2 racks may be lost; lost or rotten shards: \[0, 15\]/);
    await assert.rejects(decode('--verify', ...files.slice(5)), /too few shards/);
  });
});
