/** What activities and children tell their allocation while they work. Few and small: each costs history. */
import type { Progress } from './manifest.ts';
import type { Readiness, Reason } from './readiness.ts';

export interface StagingReport {
  /** Progress by the mount's place in the declaration. */
  readonly mounts?: readonly { readonly mountIndex: number; readonly progress: Progress }[];
  readonly state?: Extract<Readiness['state'], 'waiting' | 'staging' | 'stalled'>;
  readonly reason?: Reason;
}

export interface DrainReport {
  readonly checkpointId: string;
  readonly state: 'drained' | 'abandoned' | 'stuck' | 'superseded';
  readonly reason?: string;
}

/** What an allocation tells a drain that may not have begun: a newer checkpoint of the same node is committed. */
export interface Superseding {
  /** Its id. */
  readonly by: string;
}

export interface FinishAnswer {
  /** From this ISO instant on the scheduler may give the nodes to another job. */
  readonly nodesReleasedAt: string;
  /** Nodes on which cleaning did not finish in time; their agents must clean before reuse. */
  readonly uncleanNodes: readonly string[];
}

export interface CancelAnswer {
  readonly mode: 'drain' | 'abandon';
  readonly keeps: readonly string[];
  readonly drops: readonly string[];
}
