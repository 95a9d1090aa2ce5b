/** A repair that wakes when its object was removed: nothing is in doubt then, so that its shards are not kept for others to build on. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { CommitInDoubt } from '../../../../datapath/erasure/commit.ts';
import { removeErasureObject } from '../../../../datapath/erasure/index.ts';
import { shardPrefix } from '../../../../datapath/erasure/layout.ts';
import { PenstockError } from '../../../../model/errors.ts';
import { damaged, KEY, PATIENT, repair } from './damage.ts';
import { stopAt } from './steps.ts';
import { impatient, keysOn } from './support.ts';

/** Two manifests put again, two shards, five manifests of the next generation. */
const STEPS = 9;

it('a repair that wakes when its object was removed is in no doubt at whatever step, and leaves no shard', async () => {
  for (let at = 0; at < STEPS; at++) {
    const { left, racks } = await damaged([2, 16]);
    const sleeper = stopAt(left, at, 'sleeps');
    const sleeping = repair(sleeper.racks, [], PATIENT).catch((error: unknown) => error);
    await sleeper.reached;
    for (const rack of racks) rack.faults.clear();
    await removeErasureObject({ racks, key: KEY, patience: impatient });
    sleeper.wake();
    const ended = await sleeping;
    assert.ok(ended instanceof PenstockError && !(ended instanceof CommitInDoubt), `asleep at ${at}, ${sleeper.taken[at]}: ${ended}`);
    assert.deepEqual(
      keysOn(racks, shardPrefix(KEY)).filter((name) => !name.endsWith('.removed')),
      [],
      sleeper.taken[at],
    );
  }
});
