import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { openRing } from '../../../../datapath/checkpoint/ring.ts';
import { LEAST_RING_BYTES } from '../../../../datapath/checkpoint/ring-format.ts';
import { contentOf, drawsOf } from '../../../support/fault-proxy-random.ts';
import { createRingDisk } from '../../../support/ring-disk.ts';
import { append, contents } from './ring-support.ts';

/** One for all runs: memory of this size costs more than what is done with it. */
const scratch = Buffer.alloc(LEAST_RING_BYTES);

/** One life of the ring: so many writes until the cut, and records of these sizes. */
const life = fc.tuple(fc.integer({ min: 0, max: 14 }), fc.array(fc.integer({ min: 0, max: 30_000 }), { minLength: 1, maxLength: 12 }));

it('a ring cut off at any moment, again and again, keeps what was acknowledged and takes nothing torn for whole', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(life, { minLength: 1, maxLength: 6 }), fc.nat(), async (lives, seed) => {
      const disk = createRingDisk(LEAST_RING_BYTES, chanceOf(seed), { content: scratch });
      let expected: readonly Buffer[] = [];
      const written: Buffer[] = [];
      for (const [cutAfter, sizes] of lives) {
        const acknowledged = [...expected];
        const device = disk.open();
        const ring = await openRing(device);
        disk.cutAfter(cutAfter);
        const appended = sizes.map(async (bytes) => {
          const payload = contentOf(bytes, written.length);
          written.push(payload);
          await append(ring, device, payload);
          acknowledged.push(payload);
        });
        await Promise.race([Promise.allSettled(appended), idle()]);
        expected = await contents(disk.open());
        assert.ok(isSubsequence(acknowledged, expected), 'every acknowledged record is found');
        assert.ok(isSubsequence(expected, written), 'nothing else is found');
      }
    }),
    { numRuns: 60 },
  );
});

/** From 0 to below 1, again and again. */
function chanceOf(seed: number): () => number {
  let draws = 0;
  return () => {
    draws += 1;
    return drawsOf(seed, draws)[0];
  };
}

/** Long enough for every write that is to be answered: each takes at most four turns. */
async function idle(): Promise<void> {
  for (let turns = 0; turns < 60; turns += 1) await new Promise((resolve) => setImmediate(resolve));
}

function isSubsequence(part: readonly Buffer[], whole: readonly Buffer[]): boolean {
  let at = 0;
  for (const each of whole) if (part[at]?.equals(each)) at += 1;
  return at === part.length;
}
