import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { END_BYTES, layOut, type PlannedMember } from '../../../../datapath/packs/archive-pack.ts';
import { packContent } from '../../../../datapath/packs/pack-content.ts';
import { byName } from '../../../../datapath/packs/plan.ts';
import { openPack, type PackBytes, readIndex, scanPack } from '../../../../datapath/packs/read-pack.ts';
import { crc32cOf } from '../../../../datapath/transfer/crc32c.ts';
import { PenstockError } from '../../../../model/errors.ts';

interface File extends PlannedMember {
  readonly content: Buffer;
  readonly mode: number;
}

const file = (name: string, content: string | Buffer, mode = 0o640): File => {
  const bytes = Buffer.from(content);
  return { name, content: bytes, bytes: bytes.length, modifiedAt: '2026-03-04T05:06:07.891Z', mode };
};
const someFiles = [
  file('a/one.txt', 'the first'),
  file('a/two.bin', Buffer.alloc(1500, 7)),
  file(`long/${'n'.repeat(200)}.txt`, 'x'),
  file('ärger.txt', 'ü'),
].sort(byName);

const packOf = (files: readonly File[]): Promise<Buffer> =>
  buffer(
    packContent(
      layOut(files),
      async ({ content, mode }, into) => {
        content.copy(into);
        return { crc32c: crc32cOf(into), mode };
      },
      () => undefined,
    ),
  );
const inMemory = (pack: Buffer, reads: [number, number][] = []): PackBytes => ({
  bytes: pack.length,
  read: async (start, bytes) => {
    reads.push([start, bytes]);
    return Readable.from([pack.subarray(start, start + bytes)], { objectMode: false });
  },
});
const namesAndContents = (pack: Buffer, members: Awaited<ReturnType<typeof openPack>>['members']) =>
  members.map(({ name, offset, bytes }) => [name, pack.toString('latin1', offset, offset + bytes)]);
const expected = (files: readonly File[]) => files.map(({ name, content }) => [name, content.toString('latin1')]);

const fileArbitrary = fc.record({
  name: fc
    .array(
      fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 }).filter((step) => !/[/\0]/.test(step) && step.isWellFormed()),
      { minLength: 1, maxLength: 4 },
    )
    .map((steps) => steps.join('/')),
  content: fc.uint8Array({ maxLength: 3000 }).map((bytes) => Buffer.from(bytes)),
  mode: fc.integer({ min: 0, max: 0o777 }),
  modified: fc.integer({ min: -1e12, max: 9e12 }),
});
const filesArbitrary = fc
  .uniqueArray(fileArbitrary, { selector: ({ name }) => name, minLength: 1, maxLength: 12 })
  .map((all) =>
    all
      .map(({ name, content, mode, modified }): File => ({ name, content, mode, bytes: content.length, modifiedAt: new Date(modified).toISOString() }))
      .sort(byName),
  );

describe('an archive pack', () => {
  test('is as long as was known before a byte of it was read, and its index and its headers tell the same members', async () => {
    await fc.assert(
      fc.asyncProperty(filesArbitrary, async (files) => {
        const pack = await packOf(files);
        const layout = layOut(files);
        assert.equal(pack.length, layout.packBytes);
        const members = await readIndex(inMemory(pack));
        assert.deepEqual(namesAndContents(pack, members), expected(files));
        assert.deepEqual(
          members.map(({ offset }) => offset),
          layout.members.map(({ offset }) => offset),
        );
        const scanned = await scanPack(Readable.from([pack], { objectMode: false }));
        assert.deepEqual(scanned, { members, findings: [] });
      }),
      { numRuns: 100, seed: 34 },
    );
  });

  test('is read by tar, names, times, modes and all', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'penstock-pack-'));
    try {
      await writeFile(join(directory, 'pack.tar'), await packOf(someFiles));
      execFileSync('tar', ['--warning=no-unknown-keyword', '-xf', 'pack.tar'], { cwd: directory, stdio: 'pipe' });
      for (const { name, content, mode, modifiedAt } of someFiles) {
        assert.deepEqual(await readFile(join(directory, name)), content);
        const facts = await stat(join(directory, name));
        assert.equal(facts.mode & 0o777, mode & ~process.umask() & 0o777);
        assert.equal(facts.mtime.toISOString(), modifiedAt);
      }
      const index = (await readFile(join(directory, '.penstock-index.jsonl'), 'utf8')).trim().split('\n');
      const lines = index.map((line) => Object(JSON.parse(line)));
      assert.equal(lines.length, someFiles.length + 1);
      assert.equal(lines.at(-1).members, someFiles.length);
    } finally {
      await rm(directory, { recursive: true });
    }
  });

  test('is opened by one read of its end, whatever lies before', async () => {
    const pack = await packOf([file('big', Buffer.alloc(2 ** 21 + 3, 1)), file('small', 'x')]);
    const reads: [number, number][] = [];
    assert.equal((await openPack(inMemory(pack, reads))).members.length, 2);
    assert.deepEqual(reads, [[pack.length - 2 ** 20, 2 ** 20]]);
  });

  test('with any byte of its index or trailer damaged is found so, says so, and gives back every member', async () => {
    const pack = await packOf(someFiles);
    const { members } = await openPack(inMemory(pack));
    const { indexHeaderOffset } = layOut(someFiles);
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: indexHeaderOffset + 1536, max: pack.length - 1025 }), fc.integer({ min: 1, max: 255 }), async (at, flip) => {
        const damaged = Buffer.from(pack);
        damaged[at] = (damaged[at] ?? 0) ^ flip;
        const opened = await openPack(inMemory(damaged)).catch((error: unknown) => error);
        assert.ok(!(opened instanceof Error) && typeof opened === 'object' && opened !== null && 'members' in opened, String(opened));
        assert.deepEqual(opened.members, members);
      }),
      { numRuns: 200, seed: 34 },
    );
    const damaged = Buffer.from(pack);
    damaged.fill(0xff, pack.length - END_BYTES - 600, pack.length - END_BYTES - 500);
    const { findings } = await openPack(inMemory(damaged));
    assert.match(findings[0] ?? '', /the archive pack is not sound: its index has CRC32C \S+, its trailer says/);
    assert.match(findings[1] ?? '', /^4 members were found by their own headers/);
    await assert.rejects(readIndex(inMemory(damaged)), (error) => error instanceof PenstockError && error.type === 'CorruptSource');
  });

  test('damaged anywhere never gives a member other bytes than were put in, and loses no more than the damage touched', async () => {
    const files = Array.from({ length: 8 }, (_, index) => file(`run/${index}.bin`, Buffer.alloc(700 * index + 1, index)));
    const pack = await packOf(files);
    const spans = layOut(files).members.map(({ name, headerOffset, offset, bytes }) => ({ name, from: headerOffset, to: offset + bytes + 511 }));
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: pack.length - 1 }),
        fc.integer({ min: 1, max: 3000 }),
        fc.integer({ min: 0, max: 255 }),
        async (from, bytes, value) => {
          const damaged = Buffer.from(pack).fill(value, from, Math.min(pack.length, from + bytes));
          const { members, findings } = await scanPack(Readable.from([damaged], { objectMode: false }));
          const contents = new Map(expected(files).map(([name, content]) => [name, content]));
          for (const [name = '', content] of namesAndContents(damaged, members)) assert.equal(content, contents.get(name), name);
          const untouched = spans.filter((span) => span.to < from || span.from >= from + bytes).map(({ name }) => name);
          const found = new Set(members.map(({ name }) => name));
          if (members.length < files.length) assert.ok(findings.length > 0, 'nothing is lost in silence');
          assert.deepEqual(
            untouched.filter((name) => !found.has(name)),
            [],
          );
        },
      ),
      { numRuns: 200, seed: 34 },
    );
  });

  test('cut short gives back what came before, and a pack within a pack is one file', async () => {
    const inner = await packOf(someFiles);
    const outer = [file('inner.tar', inner), file('z', 'last')];
    const pack = await packOf(outer);
    const { members, findings } = await scanPack(Readable.from([pack.subarray(0, pack.length - END_BYTES - 700)], { objectMode: false }));
    assert.deepEqual(
      members.map(({ name }) => name),
      ['inner.tar', 'z'],
    );
    assert.match(findings.at(-1) ?? '', /ends within a member|belong to no member/);
    const torn = Buffer.from(pack).fill(0, layOut(outer).members[1]?.headerOffset);
    const zeros = await scanPack(Readable.from([torn], { objectMode: false }));
    assert.match(zeros.findings.join(), /belong to no member/, 'zeros end a pack only behind its index');
    const headless = Buffer.from(pack).fill(0xff, 0, 512);
    const second = await scanPack(Readable.from([headless], { objectMode: false }));
    assert.deepEqual(
      second.members.map(({ name }) => name),
      ['z'],
      'members of the pack inside are not members of this one',
    );
    assert.match(second.findings[0] ?? '', /^bytes 0 to \d+ belong to no member/);
  });
});
