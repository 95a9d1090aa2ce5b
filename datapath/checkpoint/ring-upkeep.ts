/** What a ring needs before the next checkpoint: commits that a crash cut short are finished, and what is safe elsewhere is let go. */
import type { FileStore } from '../../drivers/file-store/port.ts';
import type { RackStore } from '../../drivers/rack-store/port.ts';
import { type CheckpointKey, checkpointDirectory, checkpointPrefix, drainedMarker, droppedMarker, parseRingKey } from '../../model/checkpoint.ts';
import type { CheckpointRecord } from '../../model/checkpoint-record.ts';
import { encodeCrc32c } from '../transfer/crc32c.ts';
import { combineCrc32c } from '../transfer/crc32c-combine.ts';
import { readCommitRecord } from './commit.ts';
import { readDrainedRecord } from './drained.ts';
import type { Ring } from './ring.ts';
import { type RingCopy, ringCopies } from './ring-copies.ts';
import type { RingDevice } from './ring-device.ts';
import { appendCommit } from './ring-sink.ts';

export interface RingSurroundings {
  readonly node: FileStore;
  readonly rack: FileStore;
  /** The erasure set. */
  readonly racks: readonly RackStore[];
  readonly signal: AbortSignal;
}

/** The ring is on the commit path, the erasure set is not: a set that is away must not hold up a checkpoint for long. */
const PATIENCE_MILLISECONDS = 5000;

/**
 * Before anything is written in this generation. What the surroundings cannot tell keeps its place: a store that is away is no reason to let go.
 * @returns bytes given back
 */
export async function keepUpRing(ring: Ring, device: RingDevice, surroundings: RingSurroundings): Promise<number> {
  const copies = await ringCopies(device, ring.entries());
  for (const copy of copies.filter(({ record }) => record === undefined)) await finishCommit(ring, device, copy, surroundings);
  const records = new Map(copies.map(({ writeId, record }) => [writeId, record]));
  const judged = new Map<string, boolean>();
  const within = { ...surroundings, signal: AbortSignal.any([surroundings.signal, AbortSignal.timeout(PATIENCE_MILLISECONDS)]) };
  const bytes = await ring.reclaim(async ({ writeId, key }) => {
    const mayGo = judged.get(writeId) ?? (await mayLetGo(parseRingKey(key), records.get(writeId), within).catch(() => false));
    judged.set(writeId, mayGo);
    return mayGo;
  });
  const left = new Set(ring.entries().map(({ header }) => header?.key));
  for (const { key } of copies) {
    if (left.has(key)) continue;
    for (const marker of [droppedMarker, drainedMarker]) await surroundings.node.remove(marker(parseRingKey(key)));
  }
  return bytes;
}

/** The rack's record makes a checkpoint; a crash between it and the ring's must not leave the ring's copy without. */
async function finishCommit(ring: Ring, device: RingDevice, copy: RingCopy, { rack }: RingSurroundings): Promise<void> {
  const { key, writeId } = copy;
  const { checkpointId, ...allocation } = parseRingKey(key);
  const record = await readCommitRecord(rack, checkpointDirectory(allocation, checkpointId)).catch(() => undefined);
  // A ring without room for it stays as it was: the rack has the checkpoint.
  if (record && holdsAll(copy, record)) await appendCommit(ring, device, { key, writeId, record }).catch(() => undefined);
}

function holdsAll({ chunks }: RingCopy, { files }: CheckpointRecord): boolean {
  return files.every(({ path, bytes, crc32c }) => {
    const pieces = (chunks.get(path) ?? []).map(({ header }) => header);
    const found = combineCrc32c(pieces.map((piece) => ({ bytes: piece.bytes, crc32c: encodeCrc32c(piece.crc32c) })));
    return pieces.length > 0 && pieces.reduce((sum, piece) => sum + piece.bytes, 0) === bytes && found === crc32c;
  });
}

async function mayLetGo(key: CheckpointKey, record: CheckpointRecord | undefined, { node, rack, racks, signal }: RingSurroundings): Promise<boolean> {
  if (await node.stat(droppedMarker(key))) return true;
  if (record && (await isMarkedDrained(node, key, record))) return true;
  // The rack lets go of its copy once every byte of the erasure set's was read back: a record there alone proves nothing of that.
  if (await readCommitRecord(rack, checkpointDirectory(key, key.checkpointId))) return false;
  // Without a record anywhere it was never acknowledged.
  if (!record) return true;
  return (await readDrainedRecord({ racks, prefix: checkpointPrefix(key), signal }))?.digest === record.digest;
}

/** It names the content: an id may be used again once its checkpoint is gone from everywhere else. */
async function isMarkedDrained(node: FileStore, key: CheckpointKey, { digest }: CheckpointRecord): Promise<boolean> {
  const marker = drainedMarker(key);
  return (await node.stat(marker)) !== undefined && (await node.readBytes(marker)).toString('utf8') === digest;
}
