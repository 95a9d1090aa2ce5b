/** Disks that are full, broken or closed to us, met by a transfer between directories: one entry's trouble stays its own, nothing is acknowledged that is not there. */
import assert from 'node:assert/strict';
import { chmod, chown, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, beforeEach, describe, test } from 'node:test';
import { z } from 'zod';
import { copyEntries } from '../../datapath/transfer/copy.ts';
import { createFileEndpoint } from '../../datapath/transfer/file-endpoint.ts';
import { createPosixFileStore } from '../../drivers/file-store/posix.ts';
import { createOracle, type Oracle } from '../support/fault-oracle.ts';
import { contentOf } from '../support/fault-proxy-random.ts';
import { smallDisk } from '../support/small-disk.ts';
import { READING, runUnderStrace, type StraceOptions, SYNCING } from '../support/strace.ts';
import { NOBODY, unprivileged } from '../support/unprivileged.ts';

const MIB = 2 ** 20;
const isRoot = process.getuid?.() === 0;
const SCRIPT = join(import.meta.dirname, '../support/strace-copy.ts');
const outcomeSchema = z.object({ done: z.array(z.string()), failed: z.array(z.tuple([z.string(), z.string()])), error: z.string() });

let base = '';
let serial = 0;
let source = '';
let target = '';

before(async () => {
  base = await mkdtemp(join(tmpdir(), 'penstock-disk-'));
});
after(() => rm(base, { recursive: true, force: true }));
beforeEach(async () => {
  serial += 1;
  source = join(base, `source-${serial}`);
  target = join(base, `target-${serial}`);
  await Promise.all([mkdir(source), mkdir(target)]);
});

/** Writes the sources. @returns what must be at the target */
async function seed(sizes: Readonly<Record<string, number>>): Promise<Oracle> {
  const contents = new Map(Object.entries(sizes).map(([path, bytes]) => [path, contentOf(bytes, path)]));
  for (const [path, content] of contents) {
    await mkdir(dirname(join(source, path)), { recursive: true });
    await writeFile(join(source, path), content);
  }
  return createOracle(target, contents);
}

async function copy(attempt = '1') {
  const [from, to] = [source, target].map((root) => createFileEndpoint(createPosixFileStore({ name: 'scratch', root }), ''));
  assert.ok(from && to);
  const { entries } = await from.list();
  return copyEntries({ source: from, target: to, entries, attempt, concurrency: 2 });
}

async function copyUnderStrace(options: StraceOptions, { mustMeet = true } = {}) {
  const { stdout, injected } = await runUnderStrace(SCRIPT, [source, target], options);
  if (mustMeet) assert.notEqual(injected.length, 0, 'no call was made to fail');
  return outcomeSchema.parse(JSON.parse(stdout));
}

async function endsClean(oracle: Oracle, paths: readonly string[]): Promise<void> {
  await oracle.acknowledge(paths);
  assert.deepEqual(await oracle.leftovers(), []);
}

describe('a transfer to a full disk', () => {
  test('is OutOfSpace, leaves nothing half written, and goes on by itself once there is room', async () => {
    const oracle = await seed({ a: MIB, b: MIB, c: 9 * MIB, 'd/e': MIB });
    const disk = await smallDisk(target, 32 * MIB);
    await disk.leave(6 * MIB);
    try {
      const unwatch = oracle.watch();
      await assert.rejects(copy('1'), { name: 'OutOfSpace', errorClass: 'waiting' });
      await endsClean(oracle, []);
      await disk.widen();
      const { done, failed } = await copy('2');
      assert.deepEqual(failed, []);
      assert.equal(done.length, 4);
      await unwatch();
      await endsClean(
        oracle,
        done.map(({ path }) => path),
      );
    } finally {
      await disk.unmount();
    }
  });
});

describe('a transfer from a disk with one unreadable file', () => {
  test('reports that one and moves the others', async () => {
    const oracle = await seed({ a: 10, broken: 9 * MIB, 'c/d': MIB, e: 0 });
    const outcome = await copyUnderStrace({ injections: [{ syscalls: READING, errno: 'EIO' }], paths: [join(source, 'broken')] });
    assert.deepEqual(outcome, { done: ['a', 'c/d', 'e'], failed: [['broken', 'CorruptSource']], error: '' });
    await endsClean(oracle, outcome.done);
    assert.ok(!(await readdir(target)).includes('broken'));
  });

  test('moves that one too where it can be read the second time', async () => {
    const oracle = await seed({ a: 10, flaky: MIB, z: 10 });
    const outcome = await copyUnderStrace({ injections: [{ syscalls: READING, errno: 'EIO', when: '1' }], paths: [join(source, 'flaky')] });
    assert.deepEqual(outcome, { done: ['a', 'flaky', 'z'], failed: [], error: '' });
    await endsClean(oracle, outcome.done);
  });
});

describe('a transfer to a disk that cannot sync', () => {
  test('publishes nothing where no file can be made durable', async () => {
    const oracle = await seed({ a: 10, 'b/c': MIB, d: 0 });
    const outcome = await copyUnderStrace({ injections: [{ syscalls: SYNCING, errno: 'EIO' }] });
    assert.deepEqual(outcome, { done: [], failed: [], error: 'IoError' });
    await endsClean(oracle, []);
    const names = await readdir(target, { recursive: true });
    assert.deepEqual(
      names.filter((name) => name !== 'b'),
      [],
    );
  });

  test('acknowledges nothing where the names cannot be made durable', async () => {
    const oracle = await seed({ a: 10, b: MIB });
    const outcome = await copyUnderStrace({ injections: [{ syscalls: SYNCING, errno: 'EIO' }], paths: [target] });
    assert.deepEqual(outcome, { done: [], failed: [], error: 'IoError' });
    await endsClean(oracle, []);
  });

  for (const nth of [1, 2, 3, 4]) {
    test(`acknowledges only what is there where sync ${nth} fails, and the next attempt finishes`, async () => {
      const oracle = await seed({ a: 10, b: MIB, 'c/d': 10, 'c/e': 10 });
      const outcome = await copyUnderStrace({ injections: [{ syscalls: SYNCING, errno: 'EIO', when: `${nth}` }] }, { mustMeet: nth === 1 });
      assert.deepEqual(outcome.failed, []);
      await endsClean(oracle, outcome.done);
      const { done } = await copy('2');
      assert.deepEqual(
        done.map(({ path }) => path),
        ['a', 'b', 'c/d', 'c/e'],
      );
      await endsClean(oracle, ['a', 'b', 'c/d', 'c/e']);
    });
  }
});

describe('a transfer without permission', () => {
  const asNobody = async <T>(work: () => Promise<T>): Promise<T> => {
    if (isRoot) for (const path of [base, source, target]) await chown(path, NOBODY, NOBODY);
    return unprivileged(work);
  };

  test('for one file reports it as Denied and moves the others', async () => {
    const oracle = await seed({ a: 10, closed: 10, 'c/d': 10 });
    await chmod(join(source, 'closed'), 0);
    const { done, failed } = await asNobody(copy);
    assert.deepEqual(
      failed.map(({ path, type }) => [path, type]),
      [['closed', 'Denied']],
    );
    await endsClean(
      oracle,
      done.map(({ path }) => path),
    );
    assert.deepEqual([...oracle.acknowledged], ['a', 'c/d']);
  });

  test('for one directory of the target reports what belongs there and moves the others', async () => {
    const oracle = await seed({ a: 10, 'shut/b': 10, 'shut/c': MIB, z: 10 });
    await mkdir(join(target, 'shut'), { mode: 0o555 });
    const { done, failed } = await asNobody(copy);
    assert.deepEqual(failed.map(({ path, type }) => [path, type]).toSorted(), [
      ['shut/b', 'Denied'],
      ['shut/c', 'Denied'],
    ]);
    await endsClean(
      oracle,
      done.map(({ path }) => path),
    );
    assert.deepEqual([...oracle.acknowledged], ['a', 'z']);
  });
});
