/** A node, its rack, the global tier and an erasure set for checkpoints: a simulated ring, directories below a temporary one, racks in memory. */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { drainFiles, verifyFiles } from '../../datapath/checkpoint/drain.ts';
import { createFileSink } from '../../datapath/checkpoint/file-sink.ts';
import { type CheckpointCopy, erasureCopy, fileCopy, ringCopy } from '../../datapath/checkpoint/nearest.ts';
import { openRing } from '../../datapath/checkpoint/ring.ts';
import { type RingCopy, ringCopies } from '../../datapath/checkpoint/ring-copies.ts';
import { openRingDevice, type RingDevice } from '../../datapath/checkpoint/ring-device.ts';
import { LEAST_RING_BYTES } from '../../datapath/checkpoint/ring-format.ts';
import { type RingEntry, scanRing } from '../../datapath/checkpoint/ring-scan.ts';
import { createRingSink } from '../../datapath/checkpoint/ring-sink.ts';
import { keepUpRing } from '../../datapath/checkpoint/ring-upkeep.ts';
import { createSecondCopy } from '../../datapath/checkpoint/second-copy.ts';
import type { CheckpointSink } from '../../datapath/checkpoint/sink.ts';
import { type AcknowledgedChunk, type CheckpointWriter, createCheckpointWriter } from '../../datapath/checkpoint/write-checkpoint.ts';
import { withDeadline } from '../../datapath/checkpoint/write-deadline.ts';
import { allocateAligned } from '../../datapath/native/aligned.ts';
import { createPosixFileStore } from '../../drivers/file-store/posix.ts';
import { type CheckpointKey, checkpointDirectory, checkpointPrefix, globalCheckpointDirectory, ringKey } from '../../model/checkpoint.ts';
import { PenstockError } from '../../model/errors.ts';
import { memorySite } from '../unit/datapath/erasure/support.ts';
import type { MemoryPool } from './memory-pool.ts';
import { createRingDisk } from './ring-disk.ts';
import { smallDisk } from './small-disk.ts';

export const ALLOCATION = { tenant: 'acme', project: 'vision', allocationId: 'train' };
export const STEP_1: CheckpointKey = { ...ALLOCATION, checkpointId: 'step-1' };
export const rackDirectory = (checkpointId: string): string => checkpointDirectory(ALLOCATION, checkpointId);
export const globalDirectory = (checkpointId: string): string => globalCheckpointDirectory({ ...ALLOCATION, checkpointId });
export const keyInRing = (checkpointId: string): string => ringKey({ ...ALLOCATION, checkpointId });
export const DIRECTORY = rackDirectory('step-1');
export const GLOBAL_DIRECTORY = globalDirectory('step-1');

const ALIGNMENT_BYTES = 4096;
const STALL_SECONDS = 20;

export interface WriteOptions {
  readonly checkpointId?: string;
  readonly policy?: 'strict' | 'degraded';
  readonly depth?: number;
  readonly stallSeconds?: number;
  readonly onAcknowledged?: (chunk: AcknowledgedChunk) => void;
  readonly changeRack?: (sink: CheckpointSink) => CheckpointSink;
  readonly changeRing?: (sink: CheckpointSink) => CheckpointSink;
  readonly changeGlobal?: (sink: CheckpointSink) => CheckpointSink;
  /** As soon as the global tier is turned to. */
  readonly onGlobal?: () => void;
}
export interface PlacesOptions {
  /** Where a directory for all of it is made. */
  readonly below?: string;
  /** That directory itself, where it is there already. */
  readonly at?: string;
  /** A real ring in this file of that directory, in place of the simulated one. */
  readonly ringFile?: string;
  readonly chance?: () => number;
  /** The ring's memory; its own where absent. */
  readonly ringContent?: Buffer;
  /** Where blocks come from; fresh ones where absent. */
  readonly memory?: Pick<MemoryPool, 'allocate'>;
  /** The rack is a file system of its own of this size. */
  readonly rackBytes?: number;
}
/** A ring as a restart finds it: one scan for all that is asked of it. */
export interface FoundRing {
  readonly device: RingDevice;
  readonly entries: readonly RingEntry[];
  readonly copies: readonly RingCopy[];
}
export type CheckpointPlaces = Awaited<ReturnType<typeof checkpointPlaces>>;

export async function checkpointPlaces({ below = tmpdir(), at, ringFile, chance = () => 0, ringContent, memory, rackBytes }: PlacesOptions = {}) {
  const base = at ?? (await mkdtemp(join(below, 'penstock-commit-')));
  const discard = async (error: unknown): Promise<never> => {
    await rm(base, { recursive: true });
    throw error;
  };
  const rackDisk = rackBytes === undefined ? undefined : await smallDisk(join(base, 'rack'), rackBytes).catch(discard);
  const store = async (name: string) => {
    await mkdir(join(base, name), { recursive: true });
    return createPosixFileStore({ name, root: join(base, name) });
  };
  const [node, rack, global, target] = [await store('node'), await store('rack'), await store('global'), await store('target')];
  const allocate = memory?.allocate ?? ((bytes: number) => allocateAligned(bytes, ALIGNMENT_BYTES));
  const disk = createRingDisk(ringFile === undefined ? LEAST_RING_BYTES : 0, chance, { content: ringContent, allocate });
  const openDevice = async (access: 'read' | 'write'): Promise<RingDevice> =>
    ringFile === undefined ? disk.open() : await openRingDevice({ path: join(base, ringFile), bytes: LEAST_RING_BYTES, access });
  const reading: RingDevice[] = [];
  /** Open until the end. NotFound where there is no ring. */
  const findRing = async (): Promise<FoundRing> => {
    const device = await openDevice('read');
    reading.push(device);
    const scanned = await scanRing(device);
    if (!scanned) throw new PenstockError('NotFound', 'the ring is gone.', { store: device.name });
    return { device, entries: scanned.entries, copies: await ringCopies(device, scanned.entries) };
  };
  const racks = memorySite();
  const { signal } = new AbortController();
  const keyOf = (checkpointId: string): CheckpointKey => ({ ...ALLOCATION, checkpointId });
  /** Its first step: all is stored, and nothing was read back. */
  const drainUnverified = (checkpointId: string): Promise<void> =>
    drainFiles({
      racks,
      prefix: checkpointPrefix(keyOf(checkpointId)),
      signal,
      source: rack,
      directory: checkpointDirectory(ALLOCATION, checkpointId),
      attempt: 'drain',
    });
  const same = (sink: CheckpointSink): CheckpointSink => sink;

  return {
    base,
    node,
    rack,
    global,
    target,
    disk,
    /** Undefined where the rack is a directory like the others. */
    rackDisk,
    racks,
    signal,
    async remove() {
      for (const device of reading) await device.close();
      await rackDisk?.unmount();
      await rm(base, { recursive: true, force: true });
    },
    findRing,

    async writer(options: WriteOptions = {}): Promise<CheckpointWriter> {
      const { checkpointId = 'step-1', policy = 'strict', depth = 4, stallSeconds = STALL_SECONDS, onAcknowledged } = options;
      const { changeRack = same, changeRing = same, changeGlobal = same } = options;
      const key = keyOf(checkpointId);
      const sinkIn = (files: typeof rack, directory: string) => createFileSink({ store: files, directory, checkpointId, attempt: 'test' });
      const device = await openDevice('write');
      const ring = await openRing(device);
      await keepUpRing(ring, device, { node, rack, racks, signal });
      const directory = checkpointDirectory(ALLOCATION, checkpointId);
      const reweighting = {
        async openGlobal() {
          options.onGlobal?.();
          return withDeadline(changeGlobal(await sinkIn(global, globalCheckpointDirectory(key))), stallSeconds);
        },
        openInRack: (path: string) => rack.openFile(`${directory}/${path}`),
        allocate,
      };
      return createCheckpointWriter({
        checkpointId,
        rack: withDeadline(changeRack(await sinkIn(rack, directory)), stallSeconds),
        second: createSecondCopy(
          withDeadline(changeRing(createRingSink(ring, device, ringKey(key))), stallSeconds),
          policy === 'degraded' ? reweighting : undefined,
        ),
        depth,
        allocate,
        onAcknowledged,
      });
    },

    /** From the nearest on, whether it is committed there or not. */
    async copies(checkpointId = 'step-1', ring?: FoundRing): Promise<CheckpointCopy[]> {
      const key = keyOf(checkpointId);
      const { device, copies } = ring ?? (await findRing());
      return [
        ...copies.filter((copy) => copy.key === ringKey(key)).map((copy) => ringCopy(device, copy)),
        fileCopy('rack', rack, checkpointDirectory(ALLOCATION, checkpointId)),
        fileCopy('global', global, globalCheckpointDirectory(key)),
        erasureCopy({ racks, prefix: checkpointPrefix(key), signal }),
      ];
    },

    /** As the allocation's drain does, but for the read back. */
    async drain(checkpointId: string): Promise<void> {
      await drainUnverified(checkpointId);
      await rack.remove(checkpointDirectory(ALLOCATION, checkpointId));
    },
    drainUnverified,
    verify: (checkpointId: string): Promise<void> => verifyFiles({ racks, prefix: checkpointPrefix(keyOf(checkpointId)), signal }),
  };
}

export async function* once(content: Buffer): AsyncGenerator<Buffer> {
  for (let at = 0; at < content.length; at += 1_000_003) yield content.subarray(at, at + 1_000_003);
}
