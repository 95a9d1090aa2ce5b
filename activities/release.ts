/** Giving back: what is held is asked from the store itself, so that nothing is forgotten that a crashed attempt had taken. */
import { Context } from '@temporalio/activity';
import type { HoldingKind } from '../drivers/hot-tier/port.ts';
import type { Stores } from '../drivers/open-site.ts';
import { checkpointDirectory, globalCheckpointDirectory } from '../model/checkpoint.ts';
import { PenstockError } from '../model/errors.ts';
import { type AllocationKey, allocationWorkflowId } from '../model/identifiers.ts';
import { effect } from './effect.ts';
import { scratchOwner } from './places.ts';
import { dropFromRing } from './second-copy.ts';

/** Scratch on the hot tier is given back with the nodes, long before the pins of the data. */
export type ReleasedKind = HoldingKind | 'scratch';

export interface UncommittedCheckpoint {
  readonly checkpointId: string;
  readonly rackId: string;
  /** Absent in histories of before nodes had targets of their own. */
  readonly nodeId?: string;
}

export type ReleaseActivities = ReturnType<typeof createReleaseActivities>;

export function createReleaseActivities(stores: Stores) {
  return {
    releaseHoldings: ({ kinds: asked, ...key }: AllocationKey & { kinds: readonly ReleasedKind[] }): Promise<void> =>
      effect(async () => {
        const owner = allocationWorkflowId(key);
        const kinds = asked.filter((kind) => kind !== 'scratch');
        await stores.hot.releaseHoldings(owner, kinds);
        if (asked.includes('scratch')) await stores.hot.releaseHoldings(scratchOwner(key), ['reservations']);
        const left = await stores.hot.holdings(owner);
        const still = kinds.filter((kind) => left[kind].length > 0);
        if (still.length > 0)
          throw new PenstockError('StoreUnavailable', `still holds ${still.join(' and ')} of ${owner} after they were given back.`, {
            store: stores.hot.name,
            nextStep: 'It is tried again.',
          });
      }),

    requestCancellation: (key: AllocationKey): Promise<void> =>
      effect(async () => {
        await Context.current().client.workflow.getHandle(allocationWorkflowId(key)).cancel();
      }),

    /** A checkpoint that was reserved but never committed is incomplete and must never be offered: its space is freed. */
    dropUncommitted: ({ checkpoints, ...key }: AllocationKey & { checkpoints: readonly UncommittedCheckpoint[] }): Promise<void> =>
      effect(async (run) => {
        for (const { checkpointId, rackId, nodeId } of checkpoints) {
          await stores.rackFiles(rackId, nodeId).remove(checkpointDirectory(key, checkpointId));
          // What the node's writer may have put beside it.
          await stores.hotFiles.remove(globalCheckpointDirectory({ ...key, checkpointId }));
          if (nodeId !== undefined) await dropFromRing(stores, { ...key, checkpointId, nodeId }, run.attempt);
        }
      }),
  };
}
