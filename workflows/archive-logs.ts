/** Ships each node's logs from its own queue, then closes metadata.json, which is written last and names every chunk. */
import { ActivityFailure, isCancellation } from '@temporalio/workflow';
import type { LogActivities } from '../activities/logs.ts';
import type { AssignedNode } from '../model/allocation.ts';
import { type AllocationKey, DATA_QUEUE, nodeQueue } from '../model/identifiers.ts';
import { activities } from './presets.ts';

export interface ArchiveLogsRequest extends AllocationKey {
  readonly nodes: readonly AssignedNode[];
  readonly heartbeatSeconds: number;
}

export interface ArchiveLogsResult {
  readonly chunks: number;
  readonly bytes: number;
  readonly missingNodes: readonly string[];
}

export async function archiveLogs(request: ArchiveLogsRequest): Promise<ArchiveLogsResult> {
  const { nodes, heartbeatSeconds, ...key } = request;
  const shipped = await Promise.all(nodes.map((node) => ship(node, key, heartbeatSeconds)));
  const missing = shipped.flatMap((each) => (each.missing ? [{ nodeId: each.nodeId, reason: each.missing }] : []));
  return activities<LogActivities>('bulk', {
    queue: DATA_QUEUE,
    heartbeatSeconds,
    summary: `write metadata.json for ${nodes.length - missing.length} of ${nodes.length} nodes`,
  }).closeLogs({ ...key, nodes: nodes.map((node) => node.nodeId), missing });
}

/** A node that does not answer is named in metadata.json with the reason; it must not hold the logs of the others. */
async function ship(node: AssignedNode, key: AllocationKey, heartbeatSeconds: number) {
  try {
    await activities<LogActivities>('node', {
      queue: nodeQueue(node.nodeId),
      heartbeatSeconds,
      summary: `compress and ship the logs of ${node.nodeId}`,
    }).archiveNodeLogs({ tenant: key.tenant, project: key.project, allocationId: key.allocationId, nodeId: node.nodeId });
    return { nodeId: node.nodeId };
  } catch (error) {
    if (isCancellation(error) || !(error instanceof ActivityFailure)) throw error;
    return { nodeId: node.nodeId, missing: error.cause?.message ?? error.message };
  }
}
