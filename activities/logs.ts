/** Logs of an allocation, in the layout the specification asks for, beside its output on the warm tier. */

import { archiveNodeLogs } from '../datapath/logs/archive-node-logs.ts';
import { closeLogMetadata } from '../datapath/logs/close-log-metadata.ts';
import type { Stores } from '../drivers/open-site.ts';
import { type AllocationKey, allocationPrefix } from '../model/identifiers.ts';
import { effect } from './effect.ts';
import { nodePlaces } from './places.ts';

export interface CloseLogsRequest extends AllocationKey {
  readonly nodes: readonly string[];
  readonly missing: readonly { readonly nodeId: string; readonly reason: string }[];
}

export type LogActivities = ReturnType<typeof createLogActivities>;

export function createLogActivities(stores: Stores) {
  return {
    archiveNodeLogs: ({ nodeId, ...key }: AllocationKey & { nodeId: string }): Promise<void> =>
      effect(async (run) => {
        await archiveNodeLogs({
          source: stores.nodeFiles(nodeId),
          directory: nodePlaces(key).logs,
          nodeId,
          store: stores.warm,
          bucket: key.tenant,
          prefix: `${allocationPrefix(key)}logs/`,
          signal: run.signal,
        });
      }),

    closeLogs: ({ nodes, missing, ...key }: CloseLogsRequest): Promise<{ chunks: number; bytes: number; missingNodes: string[] }> =>
      effect(async () => {
        const metadata = await closeLogMetadata({
          store: stores.warm,
          bucket: key.tenant,
          prefix: `${allocationPrefix(key)}logs/`,
          allocation: key,
          nodes,
          missing,
        });
        return { chunks: metadata.chunks, bytes: metadata.rawBytes, missingNodes: missing.map((each) => each.nodeId) };
      }),
  };
}
