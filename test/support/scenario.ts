/** The steps of a lifecycle as the tests speak of them. Contents are seeded: the same names and bytes every run. */
import pLimit from 'p-limit';
import type { AllocationInput, AllocationKey, AllocationStatus, MountPlan } from '../../client/index.ts';
import { checkpointFiles, seededBytes, writeCheckpoint, writeLogs, writeOutput, writeScratch } from '../../dev/job/job.ts';
import type { ObjectStore } from '../../drivers/object-store/port.ts';
import type { Phase } from '../../model/phase.ts';
import type { TestSite } from './site.ts';
import { eventually } from './wait.ts';

export const keyOf = (allocationId: string): AllocationKey => ({ tenant: 'acme', project: 'vision', allocationId });

export const NODE = { nodeId: 'n001', rackId: 'r01', features: ['nvme_scratch'] };
export const PLAIN_NODE = { nodeId: 'n002', rackId: 'r01', features: [] };

export function allocationInput(allocationId: string, overrides: Partial<AllocationInput> = {}): AllocationInput {
  return {
    ...keyOf(allocationId),
    user: 'ada',
    walltimeSeconds: 3600,
    data: {
      mounts: [{ source: 's3://training-data/imagenet', target: '/data/input', bandwidth_floor: '100MB/s' }],
      scratch_per_node: '10MB',
    },
    ...overrides,
  };
}

/** Files of a data set by their path below it. */
export function datasetFiles(count: number, bytesEach: number, seed = 'dataset'): Map<string, Buffer> {
  return new Map(
    Array.from({ length: count }, (_, index) => [
      `part-${String(index % 10)}/file ${String(index).padStart(5, '0')}.bin`,
      seededBytes(`${seed}/${index}`, bytesEach),
    ]),
  );
}

export async function seedDataset(store: ObjectStore, files: ReadonlyMap<string, Buffer>, bucket = 'training-data', prefix = 'imagenet/'): Promise<void> {
  await store.ensureBucket(bucket);
  const limit = pLimit(32);
  await Promise.all([...files].map(([path, body]) => limit(() => store.writeBytes(bucket, `${prefix}${path}`, body))));
}

export function untilPhase(site: TestSite, key: AllocationKey, phase: Phase, limitMs = 60_000): Promise<AllocationStatus> {
  return eventually(
    `${key.allocationId} to be ${phase}`,
    async () => {
      const status = await site.penstock.status(key);
      if (status.phase === phase) return status;
      throw new Error(
        `the phase is ${status.phase}; ${status.reason?.message ?? 'no reason'}; ${status.readiness.reason?.message ?? ''}; ${status.journal.at(-1)?.text ?? ''}`,
      );
    },
    limitMs,
  );
}

export const OUTPUT_FILES = new Map([
  ['results/metrics.json', Buffer.from('{"accuracy": 0.97}\n')],
  ['results/weights.bin', seededBytes('weights', 3_000_000)],
  ['with space/ünïcode %41.txt', Buffer.from('names are kept\n')],
]);

export const CHECKPOINT_FILES = checkpointFiles('checkpoint', 3, 2_500_000);

/** What a job does while it runs: logs, scratch, output, one committed checkpoint. */
export async function runJob(site: TestSite, key: AllocationKey, plan: MountPlan, checkpointId: string | null = 'step-100'): Promise<void> {
  await writeLogs(plan, 200);
  await writeScratch(plan);
  await writeOutput(plan, site.stores.hotObjects, OUTPUT_FILES);
  if (checkpointId === null) return;
  const reservation = await site.penstock.reserveCheckpoint(key, { checkpointId, bytes: '10MB' });
  await writeCheckpoint(reservation, CHECKPOINT_FILES);
  await site.penstock.commitCheckpoint(key, { checkpointId });
}
