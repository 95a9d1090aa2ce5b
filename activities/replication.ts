/** Copies of the erasure set's objects in that of another site. The countries allowed are held in every part, for a site file may change on the way. */
import { type ReplicatedPart, replicatePart } from '../datapath/checkpoint/replicate.ts';
import type { Stores } from '../drivers/open-site.ts';
import { requireReplica } from '../model/erasure-set.ts';
import type { ReplicateRequest } from '../model/replication.ts';
import { effect } from './effect.ts';

/** A lost worker costs so much at most, and the object it was at. */
const PART_MS = 5 * 60_000;

export type ReplicationTarget = Pick<ReplicateRequest, 'to' | 'within'>;

export interface OpenedReplication {
  readonly heartbeatSeconds: number;
  readonly eventsPerRun: number;
}
export interface ReplicatePartRequest extends ReplicationTarget, Pick<ReplicateRequest, 'prefix' | 'verify'> {
  /** The last key of the part before. */
  readonly after?: string;
}

export type ReplicationActivities = ReturnType<typeof createReplicationActivities>;

export function createReplicationActivities(stores: Stores) {
  return {
    /** InvalidInput where the site file names no such set; PolicyRefused where it lies abroad. */
    openReplication: ({ to, within }: ReplicationTarget): Promise<OpenedReplication> =>
      effect(async () => {
        requireReplica(stores.site, to, within);
        const { heartbeatSeconds, eventsPerRun } = stores.site.policies;
        return { heartbeatSeconds, eventsPerRun };
      }),

    replicatePart: ({ to, within, prefix, verify, after }: ReplicatePartRequest): Promise<ReplicatedPart> =>
      effect(async (run) =>
        replicatePart({
          from: stores.shardRacks,
          to: await stores.replicaRacks(to, within),
          prefix,
          after,
          existing: existingBy(verify, run.superseded.length > 0),
          limitMilliseconds: PART_MS,
          signal: run.signal,
          onProgress: run.report,
        }),
      ),
  };
}

/** An attempt that was killed may have written what nobody has read back. */
function existingBy(verify: ReplicateRequest['verify'], isRepeated: boolean): 'believe' | 'verify' | 'mend' {
  switch (verify) {
    case 'mend':
      return 'mend';
    case 'all':
      return 'verify';
    case 'copied':
      return isRepeated ? 'verify' : 'believe';
  }
}
