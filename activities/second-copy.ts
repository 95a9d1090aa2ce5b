/** The copy beside the rack's of a checkpoint that its node's writer has committed: in the ring, or, of a degraded commit, in the global tier. */
import { readCommitRecord, type SecondCopy } from '../datapath/checkpoint/commit.ts';
import { type RingCopy, ringCopies } from '../datapath/checkpoint/ring-copies.ts';
import { openRingDevice } from '../datapath/checkpoint/ring-device.ts';
import { scanRing } from '../datapath/checkpoint/ring-scan.ts';
import { nodeConfig, type Stores } from '../drivers/open-site.ts';
import { type CheckpointKey, drainedMarker, droppedMarker, globalCheckpointDirectory, ringKey } from '../model/checkpoint.ts';
import type { CheckpointRecord } from '../model/checkpoint-record.ts';
import { absent, PenstockError } from '../model/errors.ts';

export interface OnNode extends CheckpointKey {
  readonly nodeId: string;
}

/** Undefined where neither has a record of it. */
export async function findSecond(stores: Stores, request: OnNode): Promise<{ readonly record: CheckpointRecord; readonly copy: SecondCopy } | undefined> {
  const inRing = (await copiesInRing(stores, request)).findLast(({ record }) => record)?.record;
  if (inRing) return { record: inRing, copy: 'ring' };
  const record = await readCommitRecord(stores.hotFiles, globalCheckpointDirectory(request));
  return record && { record, copy: 'global' };
}

/** The ring may let go of it: it was abandoned, so no drain will ever say so. */
export async function dropFromRing(stores: Stores, request: OnNode, attempt: string): Promise<void> {
  if ((await copiesInRing(stores, request)).length === 0) return;
  await stores.nodeFiles(request.nodeId).write(droppedMarker(request), Buffer.alloc(0), { replace: true, attempt });
}

/**
 * The ring may let go of it, for the erasure set's copy was read back. Without the marker it asks the erasure set, as long as that has it: so a node that is
 * away, or no longer of this site, does not hold up the release.
 */
export async function markDrained(stores: Stores, request: OnNode, { digest }: Pick<CheckpointRecord, 'digest'>, attempt: string): Promise<void> {
  try {
    const inRing = (await copiesInRing(stores, request)).some(({ record }) => record?.digest === digest);
    if (inRing) await stores.nodeFiles(request.nodeId).write(drainedMarker(request), Buffer.from(digest), { replace: true, attempt });
  } catch (error) {
    if (!(error instanceof PenstockError)) throw error;
  }
}

async function copiesInRing({ site }: Stores, request: OnNode): Promise<RingCopy[]> {
  const { ring } = nodeConfig(site, request.nodeId);
  const device = ring && (await openRingDevice({ path: ring.path, bytes: ring.size, access: 'read' }).catch(absent));
  if (!device) return [];
  try {
    const copies = await ringCopies(device, (await scanRing(device))?.entries ?? []);
    return copies.filter(({ key }) => key === ringKey(request));
  } finally {
    await device.close();
  }
}

/** Only what a degraded commit has put there: a restore into the hot tier has no record beside it. */
export async function removeGlobalCopy({ hotFiles }: Stores, key: CheckpointKey): Promise<void> {
  const directory = globalCheckpointDirectory(key);
  if (await readCommitRecord(hotFiles, directory)) await hotFiles.remove(directory);
}
