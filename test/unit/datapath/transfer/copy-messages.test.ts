/** What the engine makes of failures that only the list, or a second look, explains. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { findCollisions } from '../../../../datapath/transfer/collisions.ts';
import { copyEntries } from '../../../../datapath/transfer/copy.ts';
import { PenstockError } from '../../../../model/errors.ts';
import { aroundRead, aroundSeal, memoryEndpoint } from '../../../support/memory-endpoint.ts';

describe('a source that changes whenever it is read', () => {
  it('is told with what it was and what it is', async () => {
    const memory = memoryEndpoint({ x: 'first' });
    const { entries } = await memory.list();
    const source = aroundRead(memory, async (_entry, read) => {
      memory.held.set('x', Buffer.concat([memory.held.get('x') ?? Buffer.alloc(0), Buffer.from('+')]));
      return await read();
    });
    const { done, failed } = await copyEntries({ source, target: memoryEndpoint(), entries, attempt: '1', concurrency: 1 });
    assert.deepEqual(done, []);
    const was = 'it was 5 bytes of 2026-01-01T00:00:00.000Z, now 7 bytes of 2026-01-01T00:00:00.000Z';
    assert.deepEqual(failed, [
      { path: 'x', type: 'SourceChanged', message: `memory: "x" changed while it was moved (${was}). Stop its writer and start again.` },
    ]);
  });
});

describe('names of which one would have to be a file and a directory', () => {
  it('are found in both directions, and only by whole steps', () => {
    const collides = findCollisions(['a', 'a/b/c', 'ab', 'd/', 'd/e', 'f', 'f/']);
    const found = ['a', 'a/b/c', 'a/b', 'ab', 'd/', 'd/e', 'f', 'f/'].map((path) => [path, collides(path)]);
    assert.deepEqual(Object.fromEntries(found), {
      a: 'a/b/c',
      'a/b/c': 'a',
      'a/b': 'a/b/c',
      ab: undefined,
      'd/': undefined,
      'd/e': undefined,
      f: 'f/',
      'f/': 'f',
    });
  });

  it('are named by the refusal, of thousands of entries without going through all for each', async () => {
    const names = Array.from({ length: 4_000 }, (_, index) => [`set/${index}`, `set/${index}/below`]).flat();
    const source = memoryEndpoint(Object.fromEntries(names.map((name) => [name, name])));
    const { entries } = await source.list();
    let scanned = 0;
    const watched = entries.map((entry) => ({
      ...entry,
      get path() {
        scanned += 1;
        return entry.path;
      },
    }));
    const target = aroundSeal(memoryEndpoint(), () => Promise.reject(new PenstockError('Conflict', 'refused')));
    const { failed } = await copyEntries({ source, target, entries: watched, attempt: '1', concurrency: 8 });
    assert.equal(failed.length, names.length);
    assert.equal(failed[0]?.message, '"set/0" and "set/0/below" cannot both be: the one would have to be a file and a directory. refused');
    assert.ok(scanned < 30 * names.length, `${scanned} looks at ${names.length} names`);
  });
});
