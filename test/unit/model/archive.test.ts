import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { nextLookMs, tiersOf } from '../../../model/archive.ts';
import { isWithin, RecallRequestSchema } from '../../../model/recall.ts';

test('a restore is looked at often at first, then every half hour, and never found later than a quarter of what it took', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 1e7 }), fc.integer({ min: 100, max: 60_000 }), (waitedMs, firstMs) => {
      const wait = nextLookMs(waitedMs, firstMs);
      assert.ok(wait >= Math.min(firstMs, 1_800_000) && wait <= 1_800_000);
      assert.ok(wait <= Math.max(firstMs, Math.ceil(waitedMs / 4)));
    }),
  );
  let looks = 0;
  for (let waited = 0; waited < 48 * 3_600_000; waited += nextLookMs(waited)) looks += 1;
  assert.ok(looks < 120, `${looks} looks in 48 hours`);
});

test('a deep archive has no expedited tier', () => {
  assert.deepEqual(tiersOf('GLACIER'), ['expedited', 'standard', 'bulk']);
  assert.deepEqual(tiersOf('DEEP_ARCHIVE'), ['standard', 'bulk']);
});

test('a path names a file, or all below a directory, and nothing outside', () => {
  assert.deepEqual(
    ['a/b', 'a/b/c', 'a/bc', 'a'].filter((path) => isWithin(path, 'a/b')),
    ['a/b', 'a/b/c'],
  );
  const request = { recallId: 'r', tenant: 'acme', project: 'vision', allocationId: 'x', target: { store: 'warm', bucket: 'acme', prefix: '' } };
  assert.equal(RecallRequestSchema.parse({ ...request, path: 'a/b/' }).path, 'a/b');
  for (const path of ['/a', 'a//b', '../b', 'a/./b', 'a\nb']) assert.equal(RecallRequestSchema.safeParse({ ...request, path }).success, false, path);
  assert.equal(RecallRequestSchema.safeParse({ ...request, target: { store: 'cold', bucket: 'acme', prefix: 'x/' } }).success, false);
});
