/** The checkpoints that a node may restart from: each has a commit record somewhere. One that was being written when its job died has none. */
import { listDrained } from '../../datapath/checkpoint/drained.ts';
import type { CopyFault, CopyName } from '../../datapath/checkpoint/nearest.ts';
import type { FileStore } from '../../drivers/file-store/port.ts';
import { checkpointsDirectory, checkpointsPrefix, parseRingKey, ringKey } from '../../model/checkpoint.ts';
import type { AllocationKey } from '../../model/identifiers.ts';
import { copiesOffNode, faultOf, type OnNode, type ReadRing, withRing } from './copies.ts';
import { type CheckpointStores, requireNode } from './node.ts';

export interface OfferedCheckpoint {
  readonly checkpointId: string;
  readonly committedAt: string;
  readonly files: number;
  readonly bytes: number;
  /** From the nearest on. */
  readonly copies: readonly CopyName[];
}
export interface OfferedCheckpoints {
  /** The newest first. */
  readonly checkpoints: readonly OfferedCheckpoint[];
  /** Stores that could not be asked. */
  readonly faults: readonly CopyFault[];
}
export interface ListCheckpoints extends OnNode {
  readonly allocation: AllocationKey;
}

export async function listCheckpoints(stores: CheckpointStores, request: ListCheckpoints): Promise<OfferedCheckpoints> {
  return await withRing(stores, request.nodeId, async (ring) => {
    const ids = new Set(ringIds(ring, request.allocation));
    const faults = [...ring.faults];
    for (const [name, list] of listersOf(stores, request)) {
      try {
        for (const id of await list()) ids.add(id);
      } catch (error) {
        faults.push(faultOf(name, error));
      }
    }
    const checkpoints: OfferedCheckpoint[] = [];
    for (const checkpointId of ids) {
      const offered = await offer(stores, ring, request, checkpointId);
      if (offered) checkpoints.push(offered);
    }
    return { checkpoints: checkpoints.sort((a, b) => b.committedAt.localeCompare(a.committedAt)), faults };
  });
}

function ringIds({ offered }: ReadRing, allocation: AllocationKey): string[] {
  return [...offered.keys()].map(parseRingKey).flatMap((key) => (checkpointsDirectory(key) === checkpointsDirectory(allocation) ? [key.checkpointId] : []));
}

function listersOf(stores: CheckpointStores, { allocation, nodeId, signal }: ListCheckpoints): [CopyName, () => Promise<readonly string[]>][] {
  const { rackId } = requireNode(stores, nodeId);
  const prefix = checkpointsPrefix(allocation);
  return [
    ['rack', () => directoriesIn(stores.rackFiles(rackId, nodeId), checkpointsDirectory(allocation))],
    ['global', () => directoriesIn(stores.hotFiles, prefix.slice(0, -1))],
    ['erasure set', () => listDrained({ racks: stores.shardRacks, prefix, signal })],
  ];
}

async function directoriesIn(store: FileStore, path: string): Promise<readonly string[]> {
  return (await store.hasDirectory(path)) ? await store.listDirectories(path) : [];
}

async function offer(
  stores: CheckpointStores,
  { offered }: ReadRing,
  { allocation, nodeId, signal }: ListCheckpoints,
  checkpointId: string,
): Promise<OfferedCheckpoint | undefined> {
  const key = { ...allocation, checkpointId };
  const [near] = offered.get(ringKey(key)) ?? [];
  const copies = [...(near ? [near] : []), ...copiesOffNode(stores, { key, nodeId, signal })];
  const found = await Promise.all(copies.map(async (copy) => ({ name: copy.name, record: await copy.record().catch(() => undefined) })));
  const committed = found.flatMap(({ name, record }) => (record ? [{ name, record }] : []));
  const [first] = committed;
  if (!first) return undefined;
  const { committedAt, bytes, files } = first.record;
  return { checkpointId, committedAt, bytes, files: files.length, copies: committed.map(({ name }) => name) };
}
