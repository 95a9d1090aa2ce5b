/** A node writes checkpoints; whatever happens meanwhile, what was acknowledged can be read and what was not committed is never offered. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { LEAST_RING_BYTES } from '../../../datapath/checkpoint/ring-format.ts';
import type { CheckpointWriter } from '../../../datapath/checkpoint/write-checkpoint.ts';
import { type CheckpointPlaces, checkpointPlaces, once, type WriteOptions } from '../../support/checkpoint-places.ts';
import { contentOf, drawsOf } from '../../support/fault-proxy-random.ts';
import type { FaultSuite } from '../harness/suite.ts';
import { createGate, endFaults, faultsOf } from './inject.ts';
import { killWriter } from './kill-process.ts';
import { type CheckpointPlan, planOf } from './plan.ts';
import { type Files, type Ledger, sha256, verifyChunks, verifyOffered, verifyRing } from './verify.ts';

export const checkpointFaults: FaultSuite<CheckpointPlan> = {
  name: 'checkpoint',
  summary: 'kill -9 and power cuts of a writer, full, slow and lost stores, a clock that steps',
  plan: planOf,
  run,
};

/** One for all runs: memory of this size costs more than what is done with it. */
const ringContent = Buffer.alloc(LEAST_RING_BYTES);
const MEMORY = '/dev/shm';

async function run(plan: CheckpointPlan): Promise<string> {
  const isReal = plan.fault === 'kill-process';
  const places = await checkpointPlaces(isReal ? { ringFile: 'ring' } : { below: MEMORY, chance: chanceOf(plan.seed), ringContent });
  try {
    const older = filesOf(plan.fault === 'ring-full' ? plan : { ...plan, sizes: [3000, 0] }, 'older');
    await writeWhole(places, 'step-1', older);
    const files = filesOf(plan, 'newer');
    const ledger: Ledger = { chunks: [], commit: 'no' };
    const end = await (isReal ? killWriter(places, plan, ledger) : attempt(places, plan, files, ledger));
    endFaults();

    await verifyChunks(places, 'step-2', ledger);
    await verifyRing(places);
    const isOffered = await verifyOffered(places, 'step-2', ledger.commit, files);
    await verifyOffered(places, 'step-1', 'acknowledged', older);
    // Alive: the next checkpoint finds room, and takes nothing of what stands away.
    if (plan.fault === 'ring-full') await places.drain('step-1');
    const next = filesOf({ ...plan, sizes: [5000, 4096] }, 'next');
    await writeWhole(places, 'step-3', next);
    await verifyOffered(places, 'step-3', 'acknowledged', next);
    await verifyOffered(places, 'step-1', 'acknowledged', older);
    if (isOffered) await verifyOffered(places, 'step-2', 'acknowledged', files);
    return end;
  } finally {
    endFaults();
    await places.remove();
  }
}

/** Of a plan; the process that is to be killed makes the same. */
export function filesOf({ seed, sizes }: Pick<CheckpointPlan, 'seed' | 'sizes'>, name: string): Files {
  return new Map(sizes.map((bytes, index) => [join(index % 3 === 2 ? 'sub' : '', `${name}-${index}.bin`), contentOf(bytes, seed, name, index)]));
}

export async function writeFiles(writer: CheckpointWriter, files: Files, beforeCommit: () => void = () => undefined): Promise<void> {
  for (const [path, content] of files) await writer.addFile(path, once(content));
  beforeCommit();
  await writer.commit();
}

async function writeWhole(places: CheckpointPlaces, checkpointId: string, files: Files, options: WriteOptions = {}): Promise<void> {
  const writer = await places.writer({ checkpointId, ...options });
  try {
    await writeFiles(writer, files);
  } finally {
    await writer.close();
  }
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
  const written = writeFiles(writer, files, () => {
    ledger.commit = 'begun';
  }).then(
    () => 'committed' as const,
    () => 'failed' as const,
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
  assertEnd(plan, end);
  return end;
}

/** What a fault may come to under a policy. */
function assertEnd({ fault, policy }: CheckpointPlan, end: 'committed' | 'failed'): void {
  if (fault === 'none' || fault === 'slow-rack' || fault === 'slow-ring' || fault === 'clock-steps') assert.equal(end, 'committed');
  if ((fault === 'ring-fails' || fault === 'ring-full') && policy === 'degraded') assert.equal(end, 'committed');
  if (fault === 'ring-full' && policy === 'strict') assert.equal(end, 'failed');
}

function chanceOf(seed: number): () => number {
  let draws = 0;
  return () => {
    draws += 1;
    return drawsOf('chance', seed, draws)[0];
  };
}
