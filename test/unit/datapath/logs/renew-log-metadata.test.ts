/** `metadata.json` while the job runs: near to what is shipped, at a bounded cost, and never in place of the one that is closed. */
import assert from 'node:assert/strict';
import { appendFile } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';
import { closeLogMetadata } from '../../../../datapath/logs/close-log-metadata.ts';
import { readLogMetadata } from '../../../../datapath/logs/read-logs.ts';
import { LogMetadataRenewal, type RenewalOptions } from '../../../../datapath/logs/renew-log-metadata.ts';
import { PenstockError } from '../../../../model/errors.ts';
import { CHUNK_BYTES, nodesBelow } from '../../../support/followed-node.ts';
import type { MemoryLogs } from '../../../support/memory-logs.ts';

const MINUTE_MS = 60_000;
const KEY = 'acme/vision/a1/logs/metadata.json';
const allocation = { tenant: 'acme', project: 'vision', allocationId: 'a1' };

let nodes: Awaited<ReturnType<typeof nodesBelow>>;
before(async () => {
  nodes = await nodesBelow();
});
after(() => nodes.stop());

/** A node that ships a chunk each minute. */
async function running() {
  const { clock, follow, log, logs } = await nodes.newNode();
  const follower = follow();
  const renew = (place: RenewalOptions['store'] = logs.place.store) =>
    new LogMetadataRenewal({ ...logs.place, store: place, allocation, nodes: ['n001', 'n002'], everyMs: MINUTE_MS, now: () => clock.now });
  const ship = async (lines = 1) => {
    for (let line = 0; line < lines; line += 1) await appendFile(log, `${'.'.repeat(CHUNK_BYTES - 1)}\n`);
    await follower.look();
    clock.now += MINUTE_MS;
    return follower.totals.chunks;
  };
  return { clock, logs, renew, ship, close: () => closeLogMetadata({ ...logs.place, allocation, nodes: ['n001', 'n002'] }) };
}

async function named({ place, objects }: MemoryLogs): Promise<number> {
  const { nodes: all } = await readLogMetadata(place);
  const chunks = all.flatMap(({ streams }) => streams.flatMap((stream) => (stream.state === 'archived' ? stream.chunks : [])));
  for (const { key } of chunks) assert.ok(objects.has(`acme/vision/a1/logs/${key}`), `${key} is there`);
  return chunks.length;
}

describe('metadata.json of a running job', () => {
  it('names every node and what has landed, within a sixteenth, says that it is open, and costs sixteen times its last version at most', async () => {
    const { logs, renew, ship } = await running();
    const renewal = renew();
    let versions = 0;
    let writtenBytes = 0;
    let last: Buffer | undefined;
    for (let minute = 0; minute < 400; minute += 1) {
      const chunks = await ship();
      await renewal.look(chunks);
      assert.ok((await named(logs)) * 17 >= chunks * 16 - 17, `${await named(logs)} of ${chunks}`);
      const now = logs.objects.get(KEY);
      if (now === last || !now) continue;
      versions += 1;
      writtenBytes += now.length;
      last = now;
    }
    const { openAt, nodes: all } = await readLogMetadata(logs.place);
    assert.ok(openAt);
    assert.deepEqual(
      all.map(({ nodeId, missing }) => [nodeId, missing]),
      [
        ['n001', undefined],
        ['n002', undefined],
      ],
    );
    assert.ok(versions < 100 && writtenBytes < 16 * (last?.length ?? 0), `${versions} versions, ${writtenBytes} bytes, the last ${last?.length}`);
  });

  it('names little that has landed after an hour, is not written where nothing has, and goes on after a crash', async () => {
    const { clock, logs, renew, ship } = await running();
    await renew().look(await ship(200)); // 16 chunks of one look
    for (let look = 0; look < 20; look += 1) await ship(0);
    const renewal = renew();
    await renewal.look(await ship(0));
    assert.equal(await named(logs), 200);
    await renewal.look(await ship());
    assert.equal(await named(logs), 200);
    clock.now += 60 * MINUTE_MS;
    await renewal.look(201);
    assert.equal(await named(logs), 201);
    const before = logs.objects.get(KEY);
    clock.now += 60 * MINUTE_MS;
    await renewal.look(201);
    assert.equal(logs.objects.get(KEY), before);
  });

  it('never takes the place of the closed one, be it by a follower that looked before that was written', async () => {
    const { logs, renew, ship, close } = await running();
    await renew().look(await ship());
    const lagging = renew({
      ...logs.place.store,
      head: async (bucket, key) => {
        const found = await logs.place.store.head(bucket, key);
        if (key.endsWith('metadata.json')) await close();
        return found;
      },
    });
    await lagging.look(await ship());
    assert.equal((await readLogMetadata(logs.place)).openAt, undefined);
    const closed = logs.objects.get(KEY);
    await renew().look(await ship());
    assert.equal(logs.objects.get(KEY), closed);
  });

  it('that its store does not take holds up nothing, says so, and is tried again', async () => {
    const { logs, renew, ship } = await running();
    let isMended = false;
    const renewal = renew({
      ...logs.place.store,
      writeStream: (...write) => (isMended ? logs.place.store.writeStream(...write) : Promise.reject(new PenstockError('Denied', 'not now.'))),
    });
    await renewal.look(await ship());
    assert.equal(renewal.problem, 'not now.');
    isMended = true;
    await renewal.look(await ship());
    assert.deepEqual([renewal.problem, await named(logs)], [undefined, 2]);
  });
});
