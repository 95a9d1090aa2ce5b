/**
 * Ships what is left of one node's logs when its job is over, and writes the node's index. May be repeated at any time, and beside whoever still follows them: what was
 * shipped is not shipped again.
 */
import type { FileStore } from '../../drivers/file-store/port.ts';
import type { LogStream } from '../../model/log-metadata.ts';
import { FollowedNode } from './follow-node.ts';
import type { LogPlace } from './log-place.ts';

export interface ArchiveNodeLogsOptions extends LogPlace {
  /** The node's storage, and the directory in it that holds `stdout.log` and `stderr.log`. */
  readonly source: FileStore;
  readonly directory: string;
  readonly nodeId: string;
  readonly chunkBytes: number;
}

/** Small, whatever the log's size: what it names is read where metadata.json is written. */
export interface ArchivedNodeLogs {
  readonly nodeId: string;
  readonly chunks: number;
  readonly rawBytes: number;
  readonly missing: readonly LogStream[];
}

/** @throws CorruptSource where the chunks that lie there do not follow each other; what concerns a store as a whole */
export async function archiveNodeLogs(options: ArchiveNodeLogsOptions): Promise<ArchivedNodeLogs> {
  const { source, directory, nodeId, chunkBytes, ...place } = options;
  const waiting = { bytes: 0, limit: Number.POSITIVE_INFINITY };
  const node = new FollowedNode({ source, directory, nodeId, place, chunkBytes, chunkMs: 0, now: Date.now, waiting });
  await node.look(true);
  return { nodeId, ...node.totals };
}
