/** What belongs to one run only and cannot be carried over: open questions of the scheduler and work in flight. */
import { CancellationScope, type Trigger } from '@temporalio/workflow';
import type { AssignedNode } from '../../model/allocation.ts';
import type { MountPlan } from '../../model/mount-plan.ts';

export interface Desk {
  /** The living part of the story; cancelled by the cancel update. */
  readonly life: CancellationScope;
  /** Staging, which may go on while the job already runs. */
  readonly staging: CancellationScope;
  /** assignNodes waiting for its mount plan. */
  start?: { readonly nodes: readonly AssignedNode[]; readonly answer: Trigger<MountPlan> } | undefined;
  /** reserveCheckpoint and commitCheckpoint at work; cancelled when the nodes must be handed back. */
  readonly checkpoints: CancellationScope;
  /** True once the story unwinds: nothing new is begun or cancelled. */
  windingDown: boolean;
  /** Data that is still arriving, and its snapshot, although the job already runs: a new run would forget them. */
  stagingInBackground: boolean;
  /** reserveCheckpoint and commitCheckpoint handlers at work: nodes are not wiped under them. */
  checkpointsInFlight: number;
  /** Set by reschedule; staging that waits or has expired looks again. */
  rescheduled: boolean;
}

export function newDesk(): Desk {
  const life = new CancellationScope();
  // Cancelled with the story, or by itself when the job ends before its data was whole.
  return {
    life,
    staging: new CancellationScope({ cancellable: true, parent: life }),
    checkpoints: new CancellationScope(),
    windingDown: false,
    stagingInBackground: false,
    checkpointsInFlight: 0,
    rescheduled: false,
  };
}
