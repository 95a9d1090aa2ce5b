/** What admission answers: the declaration resolved against the site, and the site's policies as workflows need them. */
import type { ArchiveClass } from './archive.ts';
import type { CheckpointRetention } from './checkpoint-retention.ts';
import type { ResolvedData } from './data-declaration.ts';
import type { RetentionPolicy } from './retention-policy.ts';
import type { Policies } from './site.ts';

export type WorkflowPolicies = Pick<
  Policies,
  'readyThreshold' | 'leaseGraceSeconds' | 'snapshotHours' | 'archiveRetentionDays' | 'attestDays' | 'deadlines' | 'heartbeatSeconds' | 'eventsPerRun'
> & {
  /** Absent in plans from before 0.3: COMPLIANCE, and nothing but the locks is attested. */
  readonly retention?: RetentionPolicy;
};

export interface AllocationPlan {
  readonly data: ResolvedData;
  readonly policies: WorkflowPolicies;
  /** How the cold store archives; absent where it does not, and in plans from before 0.4. */
  readonly archive?: ArchiveClass;
  /** Sets of other sites that each drained checkpoint is copied to; absent where none is, and in plans from before 0.3. */
  readonly checkpointCopies?: readonly string[];
  /** Which checkpoints stay; absent in plans from before 0.3, whose checkpoints all do. */
  readonly checkpoints?: Pick<CheckpointRetention, 'keepEvery' | 'keepDays' | 'supersede'>;
  /** The logs are shipped while the job runs; absent where they are not, and in plans from before 0.3. */
  readonly followLogs?: boolean;
}
