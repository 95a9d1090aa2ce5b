/** A node writes checkpoints; whatever happens meanwhile, what was acknowledged can be read and what was not committed is never offered. */
import assert from 'node:assert/strict';
import { LEAST_RING_BYTES } from '../../../datapath/checkpoint/ring-format.ts';
import { PenstockError } from '../../../model/errors.ts';
import { type CheckpointPlaces, checkpointPlaces, keyInRing } from '../../support/checkpoint-places.ts';
import { sha256 } from '../../support/facts.ts';
import { drawsOf } from '../../support/fault-proxy-random.ts';
import { createMemoryPool } from '../../support/memory-pool.ts';
import type { FaultSuite } from '../harness/suite.ts';
import { verifyBitRot } from './bit-rot.ts';
import { type Files, filesOf, writeFiles, writeWhole } from './files.ts';
import { createGate, endFaults, faultsOf } from './inject.ts';
import { killWriter } from './kill-process.ts';
import { type CheckpointPlan, isReached, PAGE_BYTES, pagesOf, planOf, RING_FILLING_SIZES } from './plan.ts';
import { type Ledger, verifyChunks, verifyOffered, verifyRing, writtenPlaces } from './verify.ts';

export const checkpointFaults: FaultSuite<CheckpointPlan> = {
  name: 'checkpoint',
  summary: 'kill -9 and power cuts of a writer, full, slow and lost stores, turned bits, a clock that steps',
  // While one waits for a store that does not answer, another one has its core.
  processes: 3,
  runLimitSeconds: 20,
  plan: planOf,
  run,
};

/** One for all runs: memory of this size costs more than what is done with it. */
const ringContent = Buffer.alloc(LEAST_RING_BYTES);
const memory = createMemoryPool();
const MEMORY = '/dev/shm';
/** Room for the largest checkpoint of a plan and its neighbours. */
const RACK_BYTES = 64 * 2 ** 20;

async function run(plan: CheckpointPlan): Promise<string> {
  const isReal = plan.fault === 'kill-process';
  const places = await checkpointPlaces({
    ...(plan.isOnDisk ? {} : { below: MEMORY }),
    ...(isReal ? { ringFile: 'ring' } : { chance: chanceOf(plan.seed), ringContent, memory }),
    ...(plan.fault === 'rack-full' ? { rackBytes: RACK_BYTES } : {}),
  });
  try {
    return await strike(places, plan, isReal ? killWriter : attempt);
  } finally {
    endFaults();
    await places.remove();
    // A writer that was called dead waits for ever, and fills nothing any more.
    memory.reset();
  }
}

type Strike = (places: CheckpointPlaces, plan: CheckpointPlan, files: Files, ledger: Ledger) => Promise<string>;

async function strike(places: CheckpointPlaces, plan: CheckpointPlan, byFault: Strike): Promise<string> {
  const older = filesOf({ ...plan, sizes: plan.fault === 'ring-full' ? RING_FILLING_SIZES : [3000, 0] }, 'older');
  await writeWhole(places, 'step-1', older);
  await places.rackDisk?.leave(plan.at * PAGE_BYTES);
  const files = filesOf(plan, 'newer');
  const ledger: Ledger = { chunks: [], commit: 'no' };
  const end = await byFault(places, plan, files, ledger);
  endFaults();
  await places.rackDisk?.widen();

  const found = await places.findRing();
  await verifyRing(found);
  await verifyChunks(writtenPlaces(places, found, keyInRing('step-2'), 'step-2'), ledger.chunks);
  const isOffered = await verifyOffered(places, found, 'step-2', { known: ledger.commit, files });
  const rotten = plan.fault === 'bit-rot' ? await verifyBitRot(places, found, plan, files) : undefined;
  await verifyAlive(places, plan, { older, step2: { known: isOffered ? 'seen' : 'no', files } });
  return rotten === undefined ? end : `${end}, a bit of the ${rotten} turned`;
}

interface Before {
  readonly older: Files;
  readonly step2: { readonly known: 'seen' | 'no'; readonly files: Files };
}

/** The next checkpoint finds room, takes nothing away of what stands, and lets nothing come to be that was not. */
async function verifyAlive(places: CheckpointPlaces, plan: CheckpointPlan, { older, step2 }: Before): Promise<void> {
  if (plan.isDrained) await places.drain('step-1');
  // Under the same names, so that one mixed from both is found out.
  const next = filesOf({ seed: -1 - plan.seed, sizes: [5000, 4096] }, 'newer');
  const isAgain = plan.isAgain && step2.known === 'no';
  const checkpointId = isAgain ? 'step-2' : 'step-3';
  await writeWhole(places, checkpointId, next);
  const found = await places.findRing();
  await verifyRing(found);
  await verifyOffered(places, found, 'step-1', { known: plan.isDrained ? 'drained' : 'acknowledged', files: older });
  await verifyOffered(places, found, checkpointId, { known: 'acknowledged', files: next });
  if (!isAgain) await verifyOffered(places, found, 'step-2', step2);
}

/** Up to the fault, to the writer's death, or to the end. */
async function attempt(places: CheckpointPlaces, plan: CheckpointPlan, files: Files, ledger: Ledger): Promise<string> {
  const gate = createGate(plan.fault === 'kill' ? plan.at : Number.POSITIVE_INFINITY);
  const writer = await places.writer({
    checkpointId: 'step-2',
    ...faultsOf(plan, gate),
    onAcknowledged: ({ index, path, offset, bytes }) => {
      assert.equal(index, ledger.chunks.length, 'acknowledged out of order');
      const content = files.get(path)?.subarray(offset, offset + bytes);
      assert.ok(content);
      ledger.chunks.push({ path, offset, bytes, sha256: sha256(content) });
    },
  });
  if (plan.fault === 'power-cut') places.disk.cutAfter(plan.at, gate.crash);
  let reason: unknown;
  const written = writeFiles(writer, files, () => {
    ledger.commit = 'begun';
  }).then(
    () => 'committed' as const,
    (error: unknown) => {
      reason = error;
      return 'failed' as const;
    },
  );
  const end = await Promise.race([written, gate.down]);
  if (end === 'down') {
    places.disk.cut();
    await gate.landed();
    return 'killed';
  }
  // A commit that failed was taken back; one that succeeded stands.
  ledger.commit = end === 'committed' ? 'acknowledged' : 'no';
  await writer.close();
  assertEnd(plan, end, reason);
  return end;
}

function assertEnd(plan: CheckpointPlan, end: 'committed' | 'failed', reason: unknown): void {
  const expected = failureOf(plan);
  assert.equal(end, expected === undefined ? 'committed' : 'failed', reason instanceof Error ? reason.message : undefined);
  if (expected !== undefined) assert.match(reason instanceof PenstockError ? reason.type : '', expected);
}

/** What a fault comes to under a policy; undefined where the checkpoint is committed all the same, or the fault was never come to. */
function failureOf(plan: CheckpointPlan): RegExp | undefined {
  const { fault, policy, at, sizes } = plan;
  switch (fault) {
    case 'ring-full':
      return policy === 'strict' ? /^OutOfSpace$/ : undefined;
    case 'ring-fails':
      return policy === 'strict' && isReached(plan) ? /^IoError$/ : undefined;
    case 'rack-full':
      return at < pagesOf(sizes) ? /^OutOfSpace$/ : undefined;
    case 'rack-gone':
      // The latter where its record could not be taken back in time either.
      return isReached(plan) ? /^(StoreUnavailable|CheckpointIncomplete)$/ : undefined;
    default:
      return undefined;
  }
}

function chanceOf(seed: number): () => number {
  let draws = 0;
  return () => {
    draws += 1;
    return drawsOf('chance', seed, draws)[0];
  };
}
