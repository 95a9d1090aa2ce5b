/** The harness that makes a disk fail: the call that was meant fails, and no other. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { type Injection, runUnderStrace } from '../../support/strace.ts';

const SCRIPT = join(import.meta.dirname, '../../support/strace-io.ts');
const WELL = { 'write 1': 'ok', 'write 2': 'ok', 'write 3': 'ok', sync: 'ok', read: 'ok' };

describe('strace', () => {
  let directory = '';
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'penstock-strace-'));
  });
  after(() => rm(directory, { recursive: true, force: true }));

  const answersOf = async (injection: Injection, failing = 'file') => {
    const paths = [join(directory, failing)];
    const { stdout, injected } = await runUnderStrace(SCRIPT, [join(directory, 'file')], { injections: [injection], paths });
    const answers: unknown = JSON.parse(stdout);
    return { answers, injected: injected.length };
  };

  const cases: readonly (readonly [what: string, Injection, failed: Readonly<Record<string, string>>])[] = [
    ['the second write', { syscalls: ['pwrite64'], errno: 'EIO', when: '2' }, { 'write 2': 'EIO' }],
    ['every write from the second on', { syscalls: ['pwrite64'], errno: 'ENOSPC', when: '2+' }, { 'write 2': 'ENOSPC', 'write 3': 'ENOSPC' }],
    ['sync', { syscalls: ['fsync'], errno: 'EIO' }, { sync: 'EIO' }],
    ['read', { syscalls: ['pread64'], errno: 'EIO' }, { read: 'EIO' }],
  ];
  for (const [what, injection, failed] of cases) {
    test(`fails ${what}`, async () => {
      assert.deepEqual(await answersOf(injection), { answers: { ...WELL, ...failed }, injected: Object.keys(failed).length });
    });
  }

  test("leaves another file's calls alone", async () => {
    assert.deepEqual(await answersOf({ syscalls: ['pwrite64'], errno: 'EIO' }, 'other'), { answers: WELL, injected: 0 });
  });
});
