/** The copy beside the rack's of a checkpoint that its node's writer has committed: in the ring, or, of a degraded commit, in the global tier. */
import { readCommitRecord, type SecondCopy } from '../datapath/checkpoint/commit.ts';
import { type RingCopy, ringCopies } from '../datapath/checkpoint/ring-copies.ts';
import { openRingDevice, withReadDeadline } from '../datapath/checkpoint/ring-device.ts';
import { scanRing } from '../datapath/checkpoint/ring-scan.ts';
import { nodeConfig, type Stores } from '../drivers/open-site.ts';
import { type CheckpointKey, drainedMarker, droppedMarker, globalCheckpointDirectory, ringKey } from '../model/checkpoint.ts';
import type { CheckpointRecord } from '../model/checkpoint-record.ts';
import { absent, PenstockError } from '../model/errors.ts';

export interface OnNode extends CheckpointKey {
  readonly nodeId: string;
}

/**
 * Undefined where neither has a record of it. A degraded commit is there because the ring failed, so one that cannot be read is no reason not to look for it.
 * @throws the ring's error where the global tier has none
 */
export async function findSecond(stores: Stores, request: OnNode): Promise<{ readonly record: CheckpointRecord; readonly copy: SecondCopy } | undefined> {
  const copies = await readableCopies(stores, request);
  const inRing = Array.isArray(copies) ? copies.findLast(({ record }) => record)?.record : undefined;
  if (inRing) return { record: inRing, copy: 'ring' };
  const record = await readCommitRecord(stores.hotFiles, globalCheckpointDirectory(request));
  if (record) return { record, copy: 'global' };
  if (copies instanceof PenstockError) throw copies;
  return undefined;
}

/** The ring may let go of it: it was abandoned, so no drain will ever say so. One that cannot be read now may have it, and holds up nobody. */
export async function dropFromRing(stores: Stores, request: OnNode, attempt: string): Promise<void> {
  const copies = await readableCopies(stores, request);
  if (Array.isArray(copies) && copies.length === 0) return;
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

/** Or why the ring cannot be read. */
async function readableCopies(stores: Stores, request: OnNode): Promise<RingCopy[] | PenstockError> {
  return await copiesInRing(stores, request).catch((error: unknown) => {
    if (error instanceof PenstockError) return error;
    throw error;
  });
}

async function copiesInRing({ site }: Stores, request: OnNode): Promise<RingCopy[]> {
  const { ring } = nodeConfig(site, request.nodeId);
  const opened = ring && (await openRingDevice({ path: ring.path, bytes: ring.size, access: 'read' }).catch(absent));
  if (!opened) return [];
  const device = withReadDeadline(opened, site.checkpoints.stallSeconds);
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
