/** A repeated attempt and what the one before it left, or still does. */
import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { it } from 'node:test';
import { copyEntries } from '../../../../datapath/transfer/copy.ts';
import { createFileEndpoint } from '../../../../datapath/transfer/file-endpoint.ts';
import { aroundRead, memoryEndpoint } from '../../../support/memory-endpoint.ts';
import { posixStores } from '../../../support/posix-store.ts';

const newStore = posixStores();

it('moves on where a name cannot be in a file system, as the first attempt did', async () => {
  const target = createFileEndpoint(await newStore(), '');
  const bad = ['a//b', `${'n'.repeat(300)}/x`];
  const source = memoryEndpoint({ good: 'content', 'also/good': 'content', ...Object.fromEntries(bad.map((path) => [path, 'content'])) });
  const { entries } = await source.list();
  for (const superseded of [[], ['7-1-abc']]) {
    const { done, failed } = await copyEntries({ source, target, entries, attempt: `7-${superseded.length + 1}-abc`, superseded, concurrency: 4 });
    assert.deepEqual([done.length, failed.map(({ path }) => path)], [2, bad]);
  }
});

it('takes files over from an attempt that still runs, which then fails as a whole and puts no failure on record', async () => {
  const store = await newStore();
  const target = createFileEndpoint(store, '');
  const names = Array.from({ length: 20 }, (_, index) => `d/f${index + 10}`);
  const memory = memoryEndpoint(Object.fromEntries(names.map((path) => [path, `content of ${path}`])));
  const { entries } = await memory.list();
  const [begun, resumed, collected, taken] = [0, 1, 2, 3].map(() => Promise.withResolvers<void>());
  const zombieSource = aroundRead(memory, async (_entry, read) => {
    begun?.resolve();
    await resumed?.promise;
    return await read();
  });
  const zombie = copyEntries({ source: zombieSource, target, entries, attempt: '7-1-abc', concurrency: 8 });
  await begun?.promise;
  const source = aroundRead(memory, async (_entry, read) => {
    collected?.resolve();
    await taken?.promise;
    return await read();
  });
  const successor = copyEntries({ source, target, entries, attempt: '7-2-abc', superseded: ['7-1-abc'], concurrency: 8 });
  await collected?.promise;
  resumed?.resolve();
  await assert.rejects(zombie, { name: 'SessionLost' });
  taken?.resolve();
  const { done, failed } = await successor;
  assert.deepEqual([done.length, failed], [20, []]);
  assert.deepEqual((await readdir(join(store.root, 'd'))).sort(), names.map((path) => path.slice(2)).sort());
});
