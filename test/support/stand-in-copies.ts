/** Activities that copy nothing: for what the workflow `replicate` does with any answer, at any number of parts. */
import { ApplicationFailure } from '@temporalio/activity';
import type { ReplicatePartRequest, ReplicationActivities } from '../../activities/replication.ts';
import { noReplication } from '../../model/replication.ts';

export interface StandInCopies {
  readonly activities: ReplicationActivities;
  /** Every part that was asked for, in order. */
  readonly asked: ReplicatePartRequest[];
  /** A part does not end before this does. */
  gate: () => Promise<void>;
}

/** Parts of 10 objects copied, one that was there and one in conflict; a new run after 50 events. To `ohio` nothing may go. */
export function standInCopies(parts: number): StandInCopies {
  const copies: StandInCopies = {
    asked: [],
    gate: () => Promise.resolve(),
    activities: {
      openReplication: ({ to }) =>
        to === 'ohio'
          ? Promise.reject(ApplicationFailure.nonRetryable('replica ohio lies in us; copies may lie in ch.', 'PolicyRefused'))
          : Promise.resolve({ heartbeatSeconds: 4, eventsPerRun: 50 }),
      async replicatePart(request) {
        copies.asked.push(request);
        await copies.gate();
        const number = Number(request.after ?? 0) + 1;
        const notCopied = [{ key: `object/${number}`, type: 'Conflict', message: 'other content' }];
        const counts = { ...noReplication, copied: 10, existed: 1, bytes: 1000, leastMargin: 4 - (number % 3), notCopiedCount: 1, notCopied };
        return { ...counts, ...(number < parts ? { after: String(number) } : {}) };
      },
    },
  };
  return copies;
}
