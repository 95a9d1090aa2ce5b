import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { readCommitRecord } from '../../../../datapath/checkpoint/commit.ts';
import { AREA_START, BLOCK_BYTES, CHUNK_BYTES, LEAST_RING_BYTES } from '../../../../datapath/checkpoint/ring-format.ts';
import { scanRing } from '../../../../datapath/checkpoint/ring-scan.ts';
import type { CheckpointSink } from '../../../../datapath/checkpoint/sink.ts';
import type { AcknowledgedChunk } from '../../../../datapath/checkpoint/write-checkpoint.ts';
import { PenstockError } from '../../../../model/errors.ts';
import { checkpointPlaces, DIRECTORY, GLOBAL_DIRECTORY, once } from '../../../support/checkpoint-places.ts';
import { contentOf } from '../../../support/fault-proxy-random.ts';
import { ofType } from '../../../support/of-type.ts';

const gone = new PenstockError('StoreUnavailable', 'the path to the device is gone');

let places: Awaited<ReturnType<typeof checkpointPlaces>>;
beforeEach(async () => {
  places = await checkpointPlaces();
});
afterEach(() => places.remove());

const small = new Map([
  ['a/model.bin', contentOf(70_001, 1)],
  ['empty', Buffer.alloc(0)],
  ['block', contentOf(4096, 2)],
]);
const large = contentOf(2 * CHUNK_BYTES + 17, 3);

/** Fails from its n-th write on. */
const failing = (sink: CheckpointSink, from: number, error: Error = gone): CheckpointSink => {
  let writes = 0;
  return { ...sink, write: (chunk) => (++writes > from ? Promise.reject(error) : sink.write(chunk)) };
};
async function ringRecords(): Promise<string[]> {
  const scanned = await scanRing(places.disk.open());
  return scanned?.entries.map(({ header }) => `${header?.kind} ${header?.path} ${header?.bytes}`) ?? [];
}

describe('a checkpoint written to ring and rack', () => {
  it('is there twice, byte for byte, and exists with its record, which a drain reads', async () => {
    const writer = await places.writer();
    for (const [path, content] of small) await writer.addFile(path, once(content));
    await writer.addFile('large', once(large));
    assert.equal(await readCommitRecord(places.rack, DIRECTORY), undefined, 'not before the commit');
    const { record, chunks, degradedBy } = await writer.commit();
    await writer.close();
    assert.deepEqual([chunks, degradedBy], [6, undefined]);
    assert.deepEqual(await readCommitRecord(places.rack, DIRECTORY), record);
    assert.deepEqual(
      record.files.map(({ path }) => path),
      ['a/model.bin', 'block', 'empty', 'large'],
    );
    for (const [path, content] of [...small, ['large', large] as const]) assert.ok((await places.rack.readBytes(`${DIRECTORY}/${path}`)).equals(content), path);
    const scanned = await scanRing(places.disk.open());
    const pieces = (scanned?.entries ?? []).flatMap(({ header, position }) =>
      header?.path === 'large' ? [places.disk.content.subarray(AREA_START + position + BLOCK_BYTES).subarray(0, header.bytes)] : [],
    );
    assert.ok(Buffer.concat(pieces).equals(large));
    assert.equal((await ringRecords()).at(-1)?.split(' ')[0], 'commit');
  });

  it('of no file is refused, and so are a name twice and the name of the record', async () => {
    const empty = await places.writer();
    await assert.rejects(empty.commit(), ofType('CheckpointIncomplete'));
    await empty.close();
    for (const [path, earlier] of [
      ['twice', 'twice'],
      ['penstock-commit.json', 'other'],
    ] as const) {
      const writer = await places.writer();
      await writer.addFile(earlier, once(contentOf(10, 1)));
      await assert.rejects(writer.addFile(path, once(contentOf(10, 1))), ofType('InvalidInput'));
      await assert.rejects(writer.commit(), ofType('InvalidInput'));
      await writer.close();
    }
  });

  it('is acknowledged in order, only when both have a chunk, however slow one side is with one of them', async () => {
    const held = Promise.withResolvers<void>();
    const answered: { rack: number[]; ring: number[] } = { rack: [], ring: [] };
    const noting = (sink: CheckpointSink, into: number[]): CheckpointSink => ({
      ...sink,
      async write(chunk) {
        if (into === answered.rack && chunk.index === 1) await held.promise;
        await sink.write(chunk);
        into.push(chunk.index);
      },
    });
    const acknowledged: AcknowledgedChunk[] = [];
    const writer = await places.writer({
      changeRack: (sink) => noting(sink, answered.rack),
      changeRing: (sink) => noting(sink, answered.ring),
      onAcknowledged: (chunk) => {
        assert.ok(answered.rack.includes(chunk.index) && answered.ring.includes(chunk.index));
        acknowledged.push(chunk);
      },
    });
    for (let index = 0; index < 4; index += 1) await writer.addFile(`f${index}`, once(contentOf(5000, index)));
    // The fifth finds no memory until the second is through.
    const fifth = writer.addFile('f4', once(contentOf(5000, 4)));
    while (!answered.rack.includes(3) || !answered.ring.includes(3)) await new Promise(setImmediate);
    assert.ok(acknowledged.every(({ index }) => index === 0));
    held.resolve();
    await fifth;
    await writer.commit();
    await writer.close();
    assert.deepEqual(
      acknowledged.map(({ index }) => index),
      [0, 1, 2, 3, 4],
    );
  });

  it('has no more under way than its depth while a side is slow, and lets the other one go two chunks ahead', async () => {
    const held = Promise.withResolvers<void>();
    let underWay = 0;
    let most = 0;
    let [inRing, taken] = [0, 0];
    const counted = (sink: CheckpointSink): CheckpointSink => ({
      ...sink,
      async write(chunk) {
        await sink.write(chunk);
        inRing += 1;
      },
    });
    const slow = (sink: CheckpointSink): CheckpointSink => ({
      ...sink,
      async write(chunk) {
        most = Math.max(most, ++underWay);
        await held.promise;
        await sink.write(chunk);
        underWay -= 1;
      },
    });
    const writer = await places.writer({ depth: 3, changeRack: slow, changeRing: counted });
    const added = (async () => {
      for (let index = 0; index < 9; index += 1) {
        await writer.addFile(`f${index}`, once(contentOf(10, index)));
        taken += 1;
      }
    })();
    while (underWay < 3 || inRing < 5) await new Promise(setImmediate);
    for (let turns = 0; turns < 20; turns += 1) await new Promise(setImmediate);
    assert.deepEqual([underWay, inRing, taken], [3, 5, 5]);
    held.resolve();
    await added;
    await writer.commit();
    await writer.close();
    assert.equal(most, 3);
  });

  it('fails where the policy is strict and a side fails, names it, and does not exist; the next attempt does', async () => {
    for (const change of ['changeRack', 'changeRing'] as const) {
      const writer = await places.writer({ [change]: (sink: CheckpointSink) => failing(sink, 2) });
      await assert.rejects(async () => {
        for (const [path, content] of small) await writer.addFile(path, once(content));
        await writer.commit();
      }, ofType('StoreUnavailable'));
      await writer.close();
      assert.equal(await readCommitRecord(places.rack, DIRECTORY), undefined);
      assert.ok((await ringRecords()).every((line) => !line.startsWith('commit')));
    }
    const writer = await places.writer();
    await writer.addFile('after', once(contentOf(100, 1)));
    await writer.commit();
    await writer.close();
    assert.deepEqual(
      (await readCommitRecord(places.rack, DIRECTORY))?.files.map(({ path }) => path),
      ['after'],
    );
  });

  it('is taken back from the rack where the ring cannot take its record, and the policy is strict', async () => {
    const writer = await places.writer({ changeRing: (sink) => ({ ...sink, publish: () => Promise.reject(gone) }) });
    await writer.addFile('a', once(contentOf(100, 1)));
    await assert.rejects(writer.commit(), ofType('StoreUnavailable'));
    await writer.close();
    assert.equal(await readCommitRecord(places.rack, DIRECTORY), undefined);
  });

  it('goes on with rack and global tier where the policy allows and the ring fails, at any chunk, and says so', async () => {
    for (let from = 0; from <= 6; from += 1) {
      const acknowledged: number[] = [];
      const writer = await places.writer({
        policy: 'degraded',
        changeRing: (sink) => failing(sink, from),
        onAcknowledged: ({ index }) => acknowledged.push(index),
      });
      await writer.addFile('large', once(large));
      for (const [path, content] of small) await writer.addFile(path, once(content));
      const { record, degradedBy } = await writer.commit();
      await writer.close();
      assert.deepEqual(acknowledged, [0, 1, 2, 3, 4, 5]);
      assert.match(degradedBy ?? '', from < 6 ? /path to the device is gone/ : /^$/);
      if (from < 6) {
        assert.deepEqual(await readCommitRecord(places.global, GLOBAL_DIRECTORY), record);
        for (const [path, content] of [...small, ['large', large] as const]) {
          assert.ok((await places.rack.readBytes(`${DIRECTORY}/${path}`)).equals(content), `${path} ${from}`);
          assert.ok((await places.global.readBytes(`${GLOBAL_DIRECTORY}/${path}`)).equals(content), `${path} ${from}`);
        }
      }
      await places.remove();
      places = await checkpointPlaces();
    }
  });

  it('copies to the global tier what the ring had and the rack was slow to take', async () => {
    const held = Promise.withResolvers<void>();
    const slow = (sink: CheckpointSink): CheckpointSink => ({
      ...sink,
      async write(chunk) {
        if (chunk.index === 0) await held.promise;
        await sink.write(chunk);
      },
    });
    const failed = Promise.withResolvers<void>();
    const seen = (sink: CheckpointSink): CheckpointSink => {
      const once = failing(sink, 2);
      return { ...once, write: (chunk) => once.write(chunk).finally(() => chunk.index === 2 && failed.resolve()) };
    };
    let isTurnedTo = false;
    const onGlobal = (): void => {
      isTurnedTo = true;
    };
    const writer = await places.writer({ policy: 'degraded', changeRack: slow, changeRing: seen, onGlobal });
    for (const [path, content] of small) await writer.addFile(path, once(content));
    await failed.promise;
    for (let turns = 0; turns < 20; turns += 1) await new Promise(setImmediate);
    assert.equal(isTurnedTo, false, 'nothing is copied from the rack before the rack has it');
    held.resolve();
    await writer.commit();
    await writer.close();
    for (const [path, content] of small) assert.ok((await places.global.readBytes(`${GLOBAL_DIRECTORY}/${path}`)).equals(content), path);
  });

  it('does not wait for ever for a side that does not answer', async () => {
    const silent = (sink: CheckpointSink): CheckpointSink => ({ ...sink, write: () => new Promise(() => undefined) });
    const strict = await places.writer({ stallSeconds: 0.05, changeRack: silent });
    await strict.addFile('a', once(contentOf(100, 1)));
    await assert.rejects(strict.commit(), ofType('StoreUnavailable'));
    await strict.close();
    const degraded = await places.writer({ policy: 'degraded', stallSeconds: 2, depth: 2, changeRing: silent });
    for (let index = 0; index < 6; index += 1) await degraded.addFile(`f${index}`, once(contentOf(100, index)));
    assert.match((await degraded.commit()).degradedBy ?? '', /no answer for 2 s/);
    await degraded.close();
  });

  it('that fills the ring fails with the checkpoint in the way, or goes on degraded', async () => {
    const many = async (policy: 'strict' | 'degraded') => {
      const writer = await places.writer({ policy });
      try {
        for (let index = 0; index * CHUNK_BYTES < LEAST_RING_BYTES; index += 1) await writer.addFile(`f${index}`, once(contentOf(CHUNK_BYTES, index)));
        return await writer.commit();
      } finally {
        await writer.close();
      }
    };
    await assert.rejects(many('strict'), ofType('OutOfSpace'));
    assert.match((await many('degraded')).degradedBy ?? '', /larger than the ring/);
  });

  it('whose id was committed before is refused; one that another attempt replaced is not published', async () => {
    // The ring has one writer at a time, so it is left out.
    const changeRing = (sink: CheckpointSink): CheckpointSink => ({ ...sink, write: () => Promise.resolve(), publish: (record) => Promise.resolve(record) });
    const first = await places.writer({ changeRing });
    await first.addFile('a', once(contentOf(100, 1)));
    const second = await places.writer({ changeRing });
    await second.addFile('a', once(contentOf(100, 2)));
    await assert.rejects(first.commit(), ofType('Conflict'));
    await second.commit();
    await assert.rejects(places.writer(), ofType('Conflict'));
  });
});
