/** What is removed of an ended allocation's checkpoints, over racks in memory. */
import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { beforeEach, describe, it } from 'node:test';
import { planCheckpoints, recordKept, removeSuperfluous } from '../../../activities/checkpoint-retention.ts';
import { recordTerms } from '../../../activities/checkpoint-terms.ts';
import { listDrained } from '../../../datapath/checkpoint/drained.ts';
import { newWriteId, writeErasureObject } from '../../../datapath/erasure/index.ts';
import { crc32cOf } from '../../../datapath/transfer/crc32c.ts';
import type { ObjectHold } from '../../../drivers/object-store/port.ts';
import type { Stores } from '../../../drivers/open-site.ts';
import { COMMIT_RECORD, checkpointPrefix, checkpointsPrefix } from '../../../model/checkpoint.ts';
import { goingRecordKey, keptRecordKey, termsRecordKey } from '../../../model/checkpoint-retention.ts';
import { failAll, keysOn, type MemoryRack, memorySite, noise } from '../datapath/erasure/support.ts';
import { recordsInMemory } from './records-in-memory.ts';

const ALLOCATION = { tenant: 'acme', project: 'vision', allocationId: 'train' };
const DAY_MS = 86_400_000;
const { signal } = new AbortController();
const run = { signal, report: () => undefined };
const agoDays = (days: number): string => new Date(Date.now() - days * DAY_MS).toISOString();
const keyOf = (checkpointId: string) => ({ ...ALLOCATION, checkpointId });

describe('the checkpoints of an ended allocation', () => {
  let racks: MemoryRack[];
  let records: Map<string, Buffer>;
  let stores: Stores;
  let holds: Map<string, ObjectHold>;

  beforeEach(async () => {
    racks = memorySite();
    holds = new Map();
    const inMemory = await recordsInMemory();
    records = inMemory.objects;
    const { site, shardObjects } = inMemory.stores;
    const hold: Stores['shardObjects']['hold'] = async (_bucket, key) => [...holds].find(([part]) => key.includes(part))?.[1];
    stores = {
      ...inMemory.stores,
      site: { ...site, checkpoints: { ...site.checkpoints, keepLast: 2, keepDays: 7 } },
      shardRacks: racks,
      shardObjects: { ...shardObjects, hold },
    };
    for (let number = 1; number <= 5; number++) await drained(`step-${number}`, agoDays(20 - number));
  });

  /** As a drain leaves it. */
  async function drained(checkpointId: string, committedAt: string): Promise<void> {
    const content = noise(3000, checkpointId.length);
    const prefix = checkpointPrefix(keyOf(checkpointId));
    const put = (name: string, body: Buffer) =>
      writeErasureObject({ racks, key: `${prefix}${name}`, content: Readable.from([body]), bytes: body.length, writeId: newWriteId() });
    await put('model.bin', content);
    const files = [{ path: 'model.bin', bytes: content.length, crc32c: crc32cOf(content) }];
    await put(COMMIT_RECORD, Buffer.from(JSON.stringify({ formatVersion: 1, checkpointId, committedAt, digest: '00', bytes: content.length, files })));
  }
  const left = async (): Promise<string[]> => (await listDrained({ racks, prefix: checkpointsPrefix(ALLOCATION), signal })).sort();
  const losing = (checkpointId: string, count: number): void => {
    for (const { objects } of racks.slice(0, count)) for (const key of [...objects.keys()]) if (key.includes(`/${checkpointId}/model.bin`)) objects.delete(key);
  };

  it('go but for the last ones and those that are kept, with every shard; what is left is judged as before', async () => {
    await recordKept(stores, keyOf('step-2'), 'number 2, checkpoints.keepEvery is 2');
    const planned = await planCheckpoints(stores, ALLOCATION, { endedAt: agoDays(8), signal });
    assert.deepEqual(
      planned.map(({ checkpointId, disposition }) => `${checkpointId} ${disposition.kind}`),
      ['step-5 stays', 'step-4 stays', 'step-3 goes', 'step-2 stays', 'step-1 goes'],
    );
    const look = await removeSuperfluous(stores, ALLOCATION, agoDays(8), run);
    assert.deepEqual(look, { stay: 3, removed: 2, removedBytes: 6000, held: 0 });
    assert.deepEqual(await left(), ['step-2', 'step-4', 'step-5']);
    assert.deepEqual(
      ['step-1', 'step-3'].flatMap((id) => keysOn(racks, 'ec/v1/shards/').filter((key) => key.includes(`/${id}/`))),
      [],
    );
    assert.deepEqual(await removeSuperfluous(stores, ALLOCATION, agoDays(8), run), { stay: 3, removed: 0, removedBytes: 0, held: 0 });
  });

  it('all stay until keepDays are over, and while an allocation of the name runs', async () => {
    for (const endedAt of [agoDays(6), undefined]) {
      const { removed, nextLookAt } = await removeSuperfluous(stores, ALLOCATION, endedAt, run);
      assert.equal(removed, 0);
      const inDays = (Date.parse(nextLookAt ?? '') - Date.now()) / DAY_MS;
      assert.ok(Math.abs(inDays - (endedAt === undefined ? 7 : 1)) < 0.01, `${inDays} days`);
    }
    assert.equal((await left()).length, 5);
  });

  it('that cannot be restored count for none of the last: an older whole one stays for each', async () => {
    losing('step-5', 10);
    losing('step-3', 10);
    await removeSuperfluous(stores, ALLOCATION, agoDays(8), run);
    assert.deepEqual(await left(), ['step-2', 'step-3', 'step-4', 'step-5']);
  });

  it('stay while too many racks are away to tell whether the last ones are whole', async () => {
    for (const rack of racks.slice(0, 8)) failAll(rack, (key) => (key.includes('model.bin') ? 'fail' : undefined));
    const planned = await planCheckpoints(stores, ALLOCATION, { endedAt: agoDays(8), signal });
    assert.ok(
      planned.every(({ disposition }) => disposition.kind === 'stays'),
      JSON.stringify(planned),
    );
  });

  it('that the store holds stay, by a retention or a legal hold on any shard, and are asked for again', async () => {
    const until = new Date(Date.now() + 2 * DAY_MS).toISOString();
    holds.set('/step-1/model.bin', { onLegalHold: false, until }).set('/step-2/penstock-commit.json', { onLegalHold: true });
    const look = await removeSuperfluous(stores, ALLOCATION, agoDays(8), run);
    assert.deepEqual(look, { stay: 2, removed: 1, removedBytes: 3000, held: 2, nextLookAt: until });
    assert.deepEqual(await left(), ['step-1', 'step-2', 'step-4', 'step-5']);
    holds.clear();
    assert.equal((await removeSuperfluous(stores, ALLOCATION, agoDays(8), run)).removed, 2);
  });

  it('of which one was removed in part are removed wholly by the next look, but for one that was drained under its id since', async () => {
    const shardsOf = (id: string): string[] => keysOn(racks, 'ec/v1/shards/').filter((key) => key.includes(`/${id}/`));
    for (const { faults } of racks)
      faults.set('remove', (key) => (key.includes('/shards/') && key.includes('/step-1/penstock-commit.json') ? 'fail' : undefined));
    await assert.rejects(removeSuperfluous(stores, ALLOCATION, agoDays(8), run), { type: 'StoreUnavailable' });
    assert.deepEqual([(await left()).includes('step-1'), shardsOf('step-1').length > 0], [false, true], 'not offered, and not gone');
    for (const { faults } of racks) faults.clear();
    assert.equal((await removeSuperfluous(stores, ALLOCATION, agoDays(8), run)).removed, 2);
    assert.deepEqual([...shardsOf('step-1'), ...shardsOf('step-3')], []);
    records.set(goingRecordKey(keyOf('step-5')), Buffer.from(JSON.stringify({ committedAt: agoDays(90) })));
    await removeSuperfluous(stores, ALLOCATION, agoDays(8), run);
    assert.deepEqual(await left(), ['step-4', 'step-5']);
    assert.equal(records.size, 0, 'no note is left');
  });

  it('go by the terms that their allocation was admitted with, as long as no later one of its name was admitted without', async () => {
    await recordTerms(stores, ALLOCATION, { keepLast: 4, keepDays: 1 });
    const { removed, nextLookAt } = await removeSuperfluous(stores, ALLOCATION, agoDays(0.5), run);
    const inDays = (Date.parse(nextLookAt ?? '') - Date.now()) / DAY_MS;
    assert.ok(removed === 0 && Math.abs(inDays - 0.5) < 0.01, `${inDays} days`);
    assert.equal((await removeSuperfluous(stores, ALLOCATION, agoDays(2), run)).removed, 1);
    assert.deepEqual(await left(), ['step-2', 'step-3', 'step-4', 'step-5']);
    await recordTerms(stores, ALLOCATION, undefined);
    assert.equal((await removeSuperfluous(stores, ALLOCATION, agoDays(8), run)).removed, 2);
  });

  it('stay where those terms cannot be read', async () => {
    records.set(termsRecordKey(ALLOCATION), Buffer.from('{"keepLast": 0}'));
    await assert.rejects(removeSuperfluous(stores, ALLOCATION, agoDays(90), run), { type: 'CorruptSource', message: /keepLast.*Remove it/ });
    assert.equal((await left()).length, 5);
  });

  it('stay where the word that keeps one cannot be read', async () => {
    records.set(keptRecordKey(keyOf('step-1')), Buffer.from('{'));
    await removeSuperfluous(stores, ALLOCATION, agoDays(8), run);
    assert.deepEqual(await left(), ['step-1', 'step-4', 'step-5']);
  });
});
