/** The stores that a node's checkpoints lie in, opened from the site file for one checkpoint at a time. */
import { randomUUID } from 'node:crypto';
import { statfs } from 'node:fs/promises';
import { createFileSink } from '../../datapath/checkpoint/file-sink.ts';
import { openRing, type Ring } from '../../datapath/checkpoint/ring.ts';
import { openRingDevice, type RingDevice, withReadDeadline } from '../../datapath/checkpoint/ring-device.ts';
import { createRingSink } from '../../datapath/checkpoint/ring-sink.ts';
import { keepUpRing } from '../../datapath/checkpoint/ring-upkeep.ts';
import { createSecondCopy } from '../../datapath/checkpoint/second-copy.ts';
import type { CheckpointSink } from '../../datapath/checkpoint/sink.ts';
import { type AcknowledgedChunk, type CheckpointWriter, createCheckpointWriter } from '../../datapath/checkpoint/write-checkpoint.ts';
import { withDeadline } from '../../datapath/checkpoint/write-deadline.ts';
import { allocateAligned } from '../../datapath/native/aligned.ts';
import type { FileStore } from '../../drivers/file-store/port.ts';
import { posixError } from '../../drivers/file-store/posix-errors.ts';
import { openStores, type Stores } from '../../drivers/open-site.ts';
import { loadSiteFile } from '../../drivers/site-file.ts';
import { type CheckpointKey, checkpointDirectory, droppedMarker, globalCheckpointDirectory, ringKey } from '../../model/checkpoint.ts';
import { PenstockError } from '../../model/errors.ts';
import type { NodeConfig } from '../../model/site.ts';
import { type AskForBandwidth, commitWindow } from './window.ts';

export type CheckpointStores = Pick<Stores, 'site' | 'rackFiles' | 'nodeFiles' | 'hotFiles' | 'shardRacks'>;

/** Of a site file with real addresses. Like every process of a site it needs the secrets that the file refers to. @throws PenstockError InvalidInput, NotFound */
export async function openCheckpointStores(siteFile: string): Promise<CheckpointStores> {
  return await openStores(await loadSiteFile(siteFile));
}

export interface OpenWriter {
  readonly key: CheckpointKey;
  readonly nodeId: string;
  readonly onAcknowledged?: (chunk: AcknowledgedChunk) => void;
  /** Needed where a fabric of the site carries the rack's commits; without it they go at their least rate. */
  readonly bandwidth?: AskForBandwidth;
  readonly signal: AbortSignal;
}

const ALIGNMENT_BYTES = 4096;

/**
 * Ready to take files. Close it, whatever happens.
 * @throws PenstockError InvalidInput where the node is unknown or has no ring; Conflict where the checkpoint was committed before, or the ring is being written;
 * PolicyRefused where the rack's path is not in the rack
 */
export async function openCheckpointWriter(
  stores: CheckpointStores,
  { key, nodeId, onAcknowledged, bandwidth, signal }: OpenWriter,
): Promise<CheckpointWriter> {
  const { policy, depth, stallSeconds } = stores.site.checkpoints;
  const node = requireNode(stores, nodeId);
  const rack = stores.rackFiles(node.rackId, node.id);
  await refuseNetworkFiles(rack, node);
  const attempt = randomUUID();
  const { checkpointId } = key;
  const directory = checkpointDirectory(key, checkpointId);
  const allocate = (bytes: number) => allocateAligned(bytes, ALIGNMENT_BYTES);
  // First, for its lock keeps a second writer from removing what the first has in the rack.
  const ring = await openRingSink(stores, node, key, signal).catch((error: unknown) => {
    if (policy === 'strict' || isRefusal(error)) throw error;
    return failedSink(error);
  });
  const rackSink = await createFileSink({ store: rack, directory, checkpointId, attempt }).catch(async (error: unknown) => {
    await ring.close();
    throw error;
  });
  const reweighting = {
    openGlobal: async () =>
      withDeadline(await createFileSink({ store: stores.hotFiles, directory: globalCheckpointDirectory(key), checkpointId, attempt }), stallSeconds),
    openInRack: (path: string) => rack.openFile(`${directory}/${path}`),
    allocate,
  };
  const window = commitWindow(stores.site, node, key, attempt, bandwidth);
  const writer = createCheckpointWriter({
    checkpointId,
    limiter: window?.limiter,
    rack: withDeadline(rackSink, stallSeconds),
    second: createSecondCopy(withDeadline(ring, stallSeconds), policy === 'degraded' ? reweighting : undefined),
    depth,
    allocate,
    onAcknowledged,
    signal,
  });
  return window ? window.around(writer) : writer;
}

/** Another writer, a reused id, a wrong site file: nothing that another store could make up for. What a device fails with has the file system's error as its cause. */
const isRefusal = (error: unknown): boolean =>
  error instanceof PenstockError && error.cause === undefined && (error.type === 'Conflict' || error.type === 'InvalidInput');

async function openRingSink(stores: CheckpointStores, node: NodeConfig, key: CheckpointKey, signal: AbortSignal): Promise<CheckpointSink> {
  const device = await openNodeRing(stores, node, 'write');
  try {
    const ring = await openRing(device);
    const local = stores.nodeFiles(node.id);
    await keepUpRing(ring, device, { node: local, rack: stores.rackFiles(node.rackId, node.id), racks: stores.shardRacks, signal });
    await refuseDropped(local, ring, key);
    // A record that came too late, behind a device that hung, must not be offered either.
    const retract = async (): Promise<void> => {
      await local.write(droppedMarker(key), Buffer.alloc(0), { replace: true, attempt: randomUUID() });
    };
    return { ...createRingSink(ring, device, ringKey(key)), retract };
  } catch (error) {
    await device.close();
    throw error;
  }
}

/** An id that was dropped or taken back may be used again once the ring has let go of what it was used for. */
async function refuseDropped(local: FileStore, ring: Ring, key: CheckpointKey): Promise<void> {
  if (!(await local.stat(droppedMarker(key)))) return;
  if (ring.entries().some(({ header }) => header?.key === ringKey(key))) {
    throw new PenstockError('Conflict', `checkpoint ${key.checkpointId} was dropped, and the ring still holds what was written of it.`, {
      store: ring.name,
      nextStep: 'Choose another checkpoint id.',
    });
  }
  await local.remove(droppedMarker(key));
}

/** A ring that could not be opened fails at the first chunk, as one that fails later would. */
function failedSink(error: unknown): CheckpointSink {
  const fail = (): Promise<never> => Promise.reject(error);
  return {
    name: 'ring',
    durability: () => 'none',
    write: fail,
    accept: () => undefined,
    publish: fail,
    retract: () => Promise.resolve(),
    close: () => Promise.resolve(),
  };
}

export async function openNodeRing({ site }: Pick<CheckpointStores, 'site'>, node: NodeConfig, access: 'read' | 'write'): Promise<RingDevice> {
  if (!node.ring) {
    throw new PenstockError('InvalidInput', `nodes.${node.id}.ring: found nothing; accepted: the path and size of its ring.`, {
      nextStep: 'Add it to the site file, or write both copies yourself and commit them.',
    });
  }
  const device = await openRingDevice({ path: node.ring.path, bytes: node.ring.size, access });
  return withReadDeadline(device, site.checkpoints.stallSeconds);
}

export function requireNode({ site }: Pick<CheckpointStores, 'site'>, nodeId: string): NodeConfig {
  const node = site.nodes.find(({ id }) => id === nodeId);
  if (node) return node;
  throw new PenstockError('InvalidInput', `node: found ${JSON.stringify(nodeId)}; accepted: ${site.nodes.map(({ id }) => id).join(', ')}.`, {
    nextStep: 'Name the node that this runs on as the site file does.',
  });
}

/** By their magics in linux/magic.h and the products' own sources: what is behind a network that is not the rack's. */
const networkFileSystems = new Map<number, string>([
  [0x6969, 'NFS'],
  [0xff534d42, 'CIFS'],
  [0xfe534d42, 'SMB2'],
  [0x00c36400, 'Ceph'],
  [0x0bd00bd0, 'Lustre'],
  [0x47504653, 'GPFS'],
  [0x19830326, 'BeeGFS'],
]);

/** What the site file says is held to what is mounted there. */
async function refuseNetworkFiles({ name, root }: FileStore, { id, rackId }: NodeConfig): Promise<void> {
  const { type } = await statfs(root).catch((error: unknown) => {
    throw posixError(error, name, root);
  });
  const kind = networkFileSystems.get(type);
  if (kind === undefined) return;
  throw new PenstockError(
    'PolicyRefused',
    `rack target of node ${id}: found ${root}, which is ${kind}; accepted: a file system on an NVMe-oF device of rack ${rackId}.`,
    {
      nextStep: 'Mount the device of the rack there, or name another target; what is off the rack belongs behind the global tier.',
    },
  );
}
