/** Work begun ahead of its turn: in order, bounded, and ended with whoever wanted it. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { workAhead } from '../../../../datapath/transfer/work-ahead.ts';
import { all } from '../erasure/support.ts';

async function* from(items: readonly number[]): AsyncGenerator<number> {
  yield* items;
}
const turns = async (count: number): Promise<void> => {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve));
};

describe('work ahead', () => {
  it('answers in the order of the items, each once, with so many under way and no more', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(5), { maxLength: 30 }), fc.integer({ min: 1, max: 6 }), async (delays, atOnce) => {
        let underWay = 0;
        let most = 0;
        const work = async (item: number): Promise<number> => {
          most = Math.max(most, ++underWay);
          await turns(delays[item] ?? 0);
          underWay--;
          return item;
        };
        const found = await all(workAhead(from([...delays.keys()]), atOnce, work));
        assert.deepEqual(found, [...delays.keys()]);
        assert.ok(most <= atOnce, `${most} at once`);
      }),
      { numRuns: 60 },
    );
  });

  it('tells a failure in its turn, behind what came before it, and ends what is under way', async () => {
    const ended: number[] = [];
    const work = async (item: number, signal: AbortSignal): Promise<number> => {
      if (item === 2) throw new Error('two');
      if (item < 2) return item;
      signal.addEventListener('abort', () => ended.push(item));
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      return item;
    };
    const found: number[] = [];
    const taking = async () => {
      for await (const item of workAhead(from([0, 1, 2, 3, 4, 5]), 4, work)) found.push(item);
    };
    await assert.rejects(taking(), /two/);
    assert.deepEqual(
      [found, ended],
      [
        [0, 1],
        [3, 4, 5],
      ],
    );
  });

  it('is ended by its signal, and by whoever takes no more', async () => {
    const controller = new AbortController();
    const untilAborted = (_item: number, signal: AbortSignal): Promise<number> =>
      new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error(`ended: ${signal.reason}`))));
    const waiting = all(workAhead(from([1, 2]), 2, untilAborted, controller.signal));
    await turns(10);
    controller.abort(new Error('enough'));
    await assert.rejects(waiting, /ended: Error: enough/);
    await assert.rejects(all(workAhead(from([1, 2]), 2, untilAborted, controller.signal)), /^Error: enough/, 'nothing is begun');
    let left = 0;
    for await (const item of workAhead(from([1, 2, 3]), 3, async (each, signal) => {
      if (each > 1) await new Promise((resolve) => signal.addEventListener('abort', resolve)).then(() => left++);
      return each;
    })) {
      assert.equal(item, 1);
      break;
    }
    assert.equal(left, 2, 'waited for');
  });
});
