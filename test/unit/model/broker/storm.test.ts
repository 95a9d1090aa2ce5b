import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { fabric, PICTURE_SECONDS, RACKS, STORED_BYTES, withBroker, withoutBroker } from '../../../../docs/tools/broker-storm.ts';

const ANSWERING_NEED = 640e9;

describe('288 racks that drain 8 TB each at the same moment', () => {
  const storm = withoutBroker();
  const drain = withBroker();
  const most = (of: readonly number[]): number => Math.max(...of);

  it('without a broker offer seven times what the fabric carries, and who answers people gets a third of what is needed', () => {
    assert.ok(most(storm.points.map(({ offered }) => offered)) > 7 * fabric.capacity);
    assert.ok(Math.min(...storm.points.map(({ answering }) => answering)) < ANSWERING_NEED / 3 + 1e9);
  });

  it('with one never send more than it carries, and who answers people keeps what is needed', () => {
    assert.ok(most(drain.points.map(({ offered }) => offered)) <= fabric.capacity);
    const answering = drain.points.filter(({ second }) => second > 20 && second < PICTURE_SECONDS - 50).map((point) => point.answering);
    assert.equal(Math.min(...answering), ANSWERING_NEED);
  });

  it('use what is left nearly whole, and half of them are safe in two thirds of the time that the storm takes', () => {
    assert.equal(drain.drainedSeconds.length, RACKS);
    const [median = 0, last = 0] = [drain.drainedSeconds[RACKS / 2], drain.drainedSeconds.at(-1)];
    const ideal = (RACKS * STORED_BYTES) / (fabric.capacity - ANSWERING_NEED);
    assert.ok(last < 1.1 * ideal, `the last after ${last} s of ${ideal}`);
    assert.ok(median < (2 / 3) * (storm.drainedSeconds[0] ?? 0), `half of them after ${median} s`);
  });
});
