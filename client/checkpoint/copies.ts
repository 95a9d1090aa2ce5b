/** Where the checkpoints of an allocation lie, and the way back from the nearest copy. */
import { randomUUID } from 'node:crypto';
import {
  type CheckpointCopy,
  type CopyFault,
  type CopyName,
  erasureCopy,
  fileCopy,
  type Restored,
  restoreNearest,
  ringCopy,
} from '../../datapath/checkpoint/nearest.ts';
import { type RingCopy, ringCopies } from '../../datapath/checkpoint/ring-copies.ts';
import { scanRing } from '../../datapath/checkpoint/ring-scan.ts';
import type { FileStore } from '../../drivers/file-store/port.ts';
import {
  type CheckpointKey,
  checkpointDirectory,
  checkpointPrefix,
  droppedMarker,
  globalCheckpointDirectory,
  parseRingKey,
  ringKey,
} from '../../model/checkpoint.ts';
import { messageOf, PenstockError } from '../../model/errors.ts';
import { type CheckpointStores, openNodeRing, requireNode } from './node.ts';

export interface OnNode {
  readonly nodeId: string;
  readonly signal: AbortSignal;
}
export interface OnNodeOf extends OnNode {
  readonly key: CheckpointKey;
}

/** Into the directory, which lies below the target's root. @throws as {@link restoreNearest} */
export async function restoreCheckpoint(
  stores: CheckpointStores,
  request: OnNodeOf & { readonly target: FileStore; readonly directory: string },
): Promise<Restored> {
  const { key, signal, target, directory } = request;
  return await withRing(stores, request.nodeId, async ({ offered, faults }) => {
    const copies = [...(offered.get(ringKey(key)) ?? []), ...copiesOffNode(stores, request)];
    const restored = await restoreNearest(key.checkpointId, copies, { store: target, directory, attempt: randomUUID(), signal });
    return { ...restored, faults: [...faults, ...restored.faults] };
  });
}

/**
 * The ring may let go of the checkpoint although the erasure set does not have it.
 * @throws PenstockError PolicyRefused where the ring's is the last copy and that was not said
 */
export async function dropFromRing(stores: CheckpointStores, { isLastCopy, ...request }: OnNodeOf & { readonly isLastCopy: boolean }): Promise<void> {
  const elsewhere = await Promise.all(copiesOffNode(stores, request).map((copy) => copy.record().catch(() => undefined)));
  if (!isLastCopy && elsewhere.every((record) => record === undefined)) {
    throw new PenstockError('PolicyRefused', `checkpoint ${request.key.checkpointId} is found in no other place than the ring.`, {
      nextStep: 'Restore it first, or say with --last-copy that it may be lost.',
    });
  }
  await stores.nodeFiles(request.nodeId).write(droppedMarker(request.key), Buffer.alloc(0), { replace: true, attempt: randomUUID() });
}

export function copiesOffNode(stores: CheckpointStores, { key, nodeId, signal }: OnNodeOf): CheckpointCopy[] {
  const { rackId } = requireNode(stores, nodeId);
  return [
    fileCopy('rack', stores.rackFiles(rackId, nodeId), checkpointDirectory(key, key.checkpointId)),
    fileCopy('global', stores.hotFiles, globalCheckpointDirectory(key)),
    erasureCopy({ racks: stores.shardRacks, prefix: checkpointPrefix(key), signal }),
  ];
}

export interface ReadRing {
  /** By the ring's key, committed ones that were not dropped; of two that were written under one id the later comes first. */
  readonly offered: ReadonlyMap<string, readonly CheckpointCopy[]>;
  /** Why the ring could not be read: there are further copies. */
  readonly faults: readonly CopyFault[];
}

/** The copies can be read for the time of `use`. */
export async function withRing<T>(stores: CheckpointStores, nodeId: string, use: (ring: ReadRing) => Promise<T>): Promise<T> {
  const node = requireNode(stores, nodeId);
  if (!node.ring) return await use({ offered: new Map(), faults: [] });
  const failed = (error: unknown): Promise<T> => use({ offered: new Map(), faults: [faultOf('ring', error)] });
  const device = await openNodeRing(stores, node, 'read').catch((error: unknown) => ({ error }));
  if ('error' in device) return await failed(device.error);
  try {
    const scanned = await scanRing(device).catch((error: unknown) => ({ error }));
    if (scanned && 'error' in scanned) return await failed(scanned.error);
    const committed: RingCopy[] = [];
    for (const copy of await ringCopies(device, scanned?.entries ?? [])) {
      const isDropped = copy.record && (await stores.nodeFiles(nodeId).stat(droppedMarker(parseRingKey(copy.key))));
      if (copy.record && !isDropped) committed.push(copy);
    }
    const byKey = Map.groupBy(committed.toReversed(), ({ key }) => key);
    const offered = new Map([...byKey].map(([key, copies]) => [key, copies.map((copy) => ringCopy(device, copy))]));
    return await use({ offered, faults: [] });
  } finally {
    await device.close();
  }
}

export const faultOf = (copy: CopyName, error: unknown): CopyFault => ({ copy, reason: messageOf(error) });
