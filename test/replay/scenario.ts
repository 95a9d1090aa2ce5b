/** What a scenario of the recorder is. Scenarios tell stories on a real site and have histories saved at the points that matter. */
import type { AllocationInput, AllocationKey, MountPlan } from '../../client/index.ts';
import { writeLogs, writeOutput, writeScratch } from '../../dev/job/job.ts';
import type { Phase } from '../../model/phase.ts';
import type { HistoryEvent } from '../support/histories.ts';
import { secondSet } from '../support/replica.ts';
import { allocationInput, keyOf, OUTPUT_FILES, untilPhase } from '../support/scenario.ts';
import type { TestSite } from '../support/site.ts';

export interface Moment {
  /** The current run where absent. */
  readonly runId?: string;
  /** Saved only when the history shows it in this phase. */
  readonly phase?: Phase;
  /** Saved only when this holds of the history; asked until it does. */
  readonly when?: (events: readonly HistoryEvent[]) => boolean;
}

/** Saves the history under a name such as `allocation/ready`; names that nobody asked for are passed over. */
export type Save = (name: string, workflowId: string, moment?: Moment) => Promise<void>;

export interface Scenario {
  readonly site: SiteName;
  /** Every name it saves. */
  readonly saves: readonly string[];
  run(site: TestSite, save: Save): Promise<void>;
}

const slowStaging = { bandwidth: { read: '2GB/s', write: '500kB/s' } }; // staging may use 0.3 of it: 360 kB take two seconds

/** They begin when the first minutes of a scenario are over, and last longer than any. */
function hoursSoon(): { from: string; to: string } {
  const clock = (minutes: number): string => new Date(Date.now() + minutes * 60_000).toISOString().slice(11, 16);
  return { from: clock(3), to: clock(33) };
}

export const sites = {
  usual: { hot: slowStaging, policies: { attestDays: 0.00003 } }, // attested every three seconds
  disposing: { hot: slowStaging, policies: { attestDays: 0.00003, retention: { holdDays: 0.0001, undecidedDays: 0.0001, disposition: 'ask' } } }, // held for nine seconds at a time
  impatient: { hot: slowStaging, policies: { eventsPerRun: 60, leaseGraceSeconds: 1, readyThreshold: 0.05 } },
  units: { hot: {}, policies: { largeFile: '100kB', eventsPerRun: 100 } },
  byNight: { hot: {}, policies: { scrubHours: hoursSoon() } },
  archiving: { hot: {}, policies: { eventsPerRun: 60 }, cold: { archive: { storageClass: 'GLACIER', firstLookSeconds: 0.3 } } },
  following: { hot: {}, policies: {}, logs: { chunkSeconds: 1 } },
  tiny: { hot: { capacity: '1MB' }, policies: {} },
  copying: { hot: {}, policies: {}, replicas: { bern: secondSet('bern', { checkpoints: true }) } },
  brokered: { hot: {}, policies: { eventsPerRun: 300 }, fabrics: { storage: { capacity: '1GB/s', leaseSeconds: 2 } } },
  superseding: {
    hot: {},
    policies: {},
    fabrics: { storage: { capacity: '1GB/s', leaseSeconds: 2, drains: ['r01'] } },
    checkpoints: { supersede: 'undrained', keepLast: 1, keepDays: 0.0002 }, // 17 seconds
  },
} as const;
export type SiteName = keyof typeof sites;

/** Every scenario stages this; the first one moves it, for the others it is hot already. */
export const DATASET = 's3://training-data/imagenet';
export const declares = (source: string, floor?: string): Partial<AllocationInput> => ({
  data: { mounts: [{ source, target: '/data/input', ...(floor === undefined ? {} : { bandwidth_floor: floor }) }], scratch_per_node: '1MB' },
});

export async function submitReady(site: TestSite, allocationId: string, overrides: Partial<AllocationInput> = {}): Promise<AllocationKey> {
  await site.penstock.submit(allocationInput(allocationId, { ...declares(DATASET), ...overrides }));
  await untilPhase(site, keyOf(allocationId), 'ready');
  return keyOf(allocationId);
}

/** What a job leaves, without a checkpoint. */
export async function writeResults(site: TestSite, plan: MountPlan): Promise<void> {
  await writeLogs(plan, 200);
  await writeScratch(plan);
  await writeOutput(plan, site.stores.hotObjects, OUTPUT_FILES);
}

/** Workflow ids of an allocation's children end with the same. */
export const suffixOf = (key: AllocationKey): string => `${key.tenant}/${key.project}/${key.allocationId}`;

export const closed = (events: readonly HistoryEvent[]): boolean => {
  const last = events.at(-1);
  return Boolean(
    last?.workflowExecutionCompletedEventAttributes ??
      last?.workflowExecutionFailedEventAttributes ??
      last?.workflowExecutionCanceledEventAttributes ??
      last?.workflowExecutionContinuedAsNewEventAttributes,
  );
};
