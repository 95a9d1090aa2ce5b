/** Logs of an allocation, in the layout the specification asks for, beside its output on the warm tier. */

import { setTimeout as delay } from 'node:timers/promises';
import { archiveNodeLogs } from '../datapath/logs/archive-node-logs.ts';
import { closeLogMetadata } from '../datapath/logs/close-log-metadata.ts';
import { type FollowedLogs, LogFollower, openRoom } from '../datapath/logs/follow-logs.ts';
import { LogMetadataRenewal } from '../datapath/logs/renew-log-metadata.ts';
import type { Stores } from '../drivers/open-site.ts';
import type { AllocationKey } from '../model/identifiers.ts';
import { effect } from './effect.ts';
import { logPlaceOf } from './log-reading.ts';
import { nodePlaces } from './places.ts';

export interface CloseLogsRequest extends AllocationKey {
  readonly nodes: readonly string[];
  readonly missing: readonly { readonly nodeId: string; readonly reason: string }[];
}

export interface FollowLogsRequest extends AllocationKey {
  readonly nodes: readonly string[];
  /** It answers after so long: a workflow of days has a place where it may go on with new code. */
  readonly turnSeconds: number;
}

export type LogActivities = ReturnType<typeof createLogActivities>;

export function createLogActivities(stores: Stores) {
  const room = openRoom();
  return {
    archiveNodeLogs: ({ nodeId, ...key }: AllocationKey & { nodeId: string }): Promise<void> =>
      effect(async (run) => {
        await archiveNodeLogs({
          ...logPlaceOf(stores, key),
          source: stores.nodeFiles(nodeId),
          directory: nodePlaces(key).logs,
          nodeId,
          chunkBytes: stores.site.logs.chunkBytes,
          signal: run.signal,
        });
      }),

    /** Ships what jobs write while they run, of many nodes in one loop, until its turn is over. What it has not shipped by then, or when it is killed, the next one reads again. */
    followLogs: ({ nodes, turnSeconds, ...key }: FollowLogsRequest): Promise<FollowedLogs> =>
      effect(async (run) => {
        const endsAt = Date.now() + turnSeconds * 1000;
        const { chunkBytes, chunkSeconds } = stores.site.logs;
        const place = { ...logPlaceOf(stores, key), signal: run.signal };
        const directory = nodePlaces(key).logs;
        const follower = new LogFollower({
          nodes: nodes.map((nodeId) => ({ nodeId, source: stores.nodeFiles(nodeId), directory, place })),
          chunkBytes,
          chunkMs: chunkSeconds * 1000,
          now: Date.now,
          room,
        });
        const metadata = new LogMetadataRenewal({ ...place, allocation: key, nodes, everyMs: chunkSeconds * 1000, now: Date.now });
        run.follow(() => ({ ...follower.state, ...(metadata.problem === undefined ? {} : { metadata: metadata.problem }) }));
        try {
          while (Date.now() < endsAt) {
            await follower.round();
            await metadata.look(follower.state.chunks);
            await delay(follower.idleMs, undefined, { signal: run.signal });
          }
          return follower.state;
        } finally {
          follower.close();
        }
      }),

    closeLogs: ({ nodes, missing, ...key }: CloseLogsRequest): Promise<{ chunks: number; bytes: number; missingNodes: string[] }> =>
      effect(async () => {
        const metadata = await closeLogMetadata({
          ...logPlaceOf(stores, key),
          allocation: key,
          nodes,
          missing,
        });
        return { chunks: metadata.chunks, bytes: metadata.rawBytes, missingNodes: missing.map((each) => each.nodeId) };
      }),
  };
}
