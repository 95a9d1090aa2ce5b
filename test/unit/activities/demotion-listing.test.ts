/** What a run of the demotion policy lists, part by part: each file once, however the parts are cut. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Client, Connection } from '@temporalio/client';
import { MockActivityEnvironment } from '@temporalio/testing';
import { createDemotionActivities } from '../../../activities/demotion.ts';
import { mountRecordKey } from '../../../activities/last-mounted.ts';
import { readManifest } from '../../../datapath/transfer/manifest-store.ts';
import type { Stores } from '../../../drivers/open-site.ts';
import type { DemotionCursor, ListDemotionRequest, ListedDemotion } from '../../../model/demotion-run.ts';
import { recordsInMemory } from './records-in-memory.ts';

const NOW = '2026-11-22T00:00:00.000Z';
const OLD = '2026-01-01T00:00:00.000Z';
const YOUNG = '2026-11-21T00:00:00.000Z';
const PAGE = 4;

type Objects = Readonly<Record<string, string>>;

/** A warm store with these keys and times of modification by bucket, listed in small pages; its records are kept in memory. */
async function warmWith(buckets: Readonly<Record<string, Objects>>, mounted: readonly string[] = []): Promise<Stores> {
  const { stores } = await recordsInMemory();
  const mounts: Objects = Object.fromEntries(mounted.map((place) => [place, YOUNG]));
  const warm: Stores['warm'] = {
    ...stores.warm,
    async list(bucket, prefix, { after = '' } = {}) {
      const objects = Object.entries(bucket === 'penstock-system' ? mounts : (buckets[bucket] ?? {}));
      const found = objects.filter(([key]) => key.startsWith(prefix) && key > after).sort();
      const entries = found.slice(0, PAGE).map(([key, modifiedAt]) => ({ key, bytes: 10, etag: `etag-${key}`, modifiedAt }));
      return { entries, next: found.length > PAGE ? entries.at(-1)?.key : undefined };
    },
    listPrefixes: async () => Object.keys(buckets).map((bucket) => `manifests/${bucket}/`),
    // No request must ask for a lock of what is young.
    hold: async (bucket, key) => {
      assert.equal(buckets[bucket]?.[key], OLD);
      return key.endsWith('held') ? { onLegalHold: true } : undefined;
    },
  };
  return { ...stores, warm, site: { ...stores.site, policies: { ...stores.site.policies, sharedBuckets: [] } } };
}

const names = (count: number, modifiedAt: string, prefix: string): [string, string][] =>
  Array.from({ length: count }, (_, index) => [`${prefix}-${String(index).padStart(3, '0')}`, modifiedAt]);

async function listAll(stores: Stores, bounds: { takenFiles: number; takenBytes: number; lookedFiles: number }) {
  const client = new Client({ connection: Connection.lazy() });
  Object.assign(client.workflow, { list: async function* () {} });
  const { listDemotion } = createDemotionActivities(stores, bounds);
  const listed: string[] = [];
  let looked = 0;
  let stayed = 0;
  let parts = 0;
  for (let cursor: DemotionCursor | undefined = { tier: 'warm' }; cursor; parts += 1) {
    const request: ListDemotionRequest = { cursor, now: NOW, part: parts };
    const answer: ListedDemotion = await new MockActivityEnvironment({}, { client }).run(() => listDemotion(request));
    for (const { manifest, source } of answer.moves) {
      for await (const { path } of readManifest(stores.warm, manifest)) listed.push(`${source.bucket}/${path}`);
    }
    looked += answer.looked.files;
    stayed += Object.values(answer.stayed).reduce((sum, count) => sum + count, 0);
    cursor = answer.next;
    assert.ok(parts < 100, 'it comes to an end');
  }
  return { listed, looked, stayed, parts };
}

const wide = { takenFiles: 1000, takenBytes: 1e9, lookedFiles: 1000 };

test('every file is looked at once, and each that is due is listed once, however small the parts are', async () => {
  const buckets = {
    aaa: Object.fromEntries([...names(9, OLD, 'old'), ...names(6, YOUNG, 'young')]),
    bbb: {},
    ccc: Object.fromEntries(names(13, YOUNG, 'young')),
    ddd: Object.fromEntries([...names(5, OLD, 'old'), ['z-held', OLD]]),
  };
  const due = [...names(9, OLD, 'aaa/old'), ...names(5, OLD, 'ddd/old')].map(([name]) => name);
  for (const [bounds, parts] of [
    [wide, 2],
    [{ ...wide, takenFiles: 5 }, 3],
    [{ ...wide, takenBytes: 30 }, 5],
    [{ ...wide, lookedFiles: 7 }, 5],
  ] as const) {
    const found = await listAll(await warmWith(buckets), bounds);
    assert.deepEqual(found, { listed: due, looked: 34, stayed: 20, parts }, JSON.stringify(bounds));
  }
});

test('what lies below a prefix that was mounted lately is not listed, and what only begins with its name is', async () => {
  const buckets = { aaa: { 'data/a': OLD, 'data-2/a': OLD, 'other/a': OLD } };
  const { listed } = await listAll(await warmWith(buckets, [mountRecordKey({ bucket: 'aaa', prefix: 'data/' })]), wide);
  assert.deepEqual(listed, ['aaa/data-2/a', 'aaa/other/a']);
  const all = await listAll(await warmWith(buckets, [mountRecordKey({ bucket: 'aaa', prefix: '' })]), wide);
  assert.deepEqual(all.listed, []);
});
