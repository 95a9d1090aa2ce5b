/** What a ring lies on: a file or a block device, one writer at a time. Tests put a simulated disk in its place. */
import { constants } from 'node:fs';
import { mkdir, open, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Descriptor } from '../../drivers/file-store/descriptor.ts';
import { durabilityOf, openDirect } from '../../drivers/file-store/direct-file.ts';
import { allocateBlocks, lockFile } from '../../drivers/file-store/libc.ts';
import { errnoOf, isMissing, posixError } from '../../drivers/file-store/posix-errors.ts';
import { closeFd, readFd, resizeFd, statFd, writeFd } from '../../drivers/file-store/raw-fs.ts';
import { PenstockError } from '../../model/errors.ts';
import { within } from '../erasure/patience.ts';
import { allocateAligned, findAddressOf } from '../native/aligned.ts';
import { BLOCK_BYTES, LEAST_RING_BYTES } from './ring-format.ts';

export interface RingDevice {
  /** For messages. */
  readonly name: string;
  readonly bytes: number;
  /** What an answered write means, for people. */
  readonly durability: string;
  /** Memory as `write` and `read` take it. */
  allocate(bytes: number): Promise<Buffer>;
  /** Durable when it settles. Position and length are multiples of 4096. */
  write(from: Buffer, position: number): Promise<void>;
  /** Fills the buffer. IoError where the device ends before. */
  read(into: Buffer, position: number): Promise<void>;
  /** Once nothing is under way any more. */
  close(): Promise<void>;
}

export interface RingDeviceOptions {
  /** Absolute. */
  readonly path: string;
  /** Of a file that is made; of one that is there, and of a block device, what is used of it. */
  readonly bytes: number;
  /** `write` makes a missing file and keeps other writers out; `read` does neither. */
  readonly access: 'write' | 'read';
}

/** @throws PenstockError Conflict where another process writes it; NotFound, OutOfSpace, Denied as the file system says */
export async function openRingDevice({ path, bytes, access }: RingDeviceOptions): Promise<RingDevice> {
  if (bytes % BLOCK_BYTES !== 0 || bytes < LEAST_RING_BYTES) {
    throw new PenstockError('InvalidInput', `ring size: found ${bytes}; accepted: a multiple of ${BLOCK_BYTES} from ${LEAST_RING_BYTES} on.`, { store: path });
  }
  try {
    if (access === 'write') await mkdir(dirname(path), { recursive: true });
    const flags = access === 'write' ? constants.O_RDWR | ((await isBlockDevice(path)) ? constants.O_EXCL : constants.O_CREAT) : constants.O_RDONLY;
    const opened = await openDirect(path, flags, (await findAddressOf()) !== undefined, 0o600);
    const { fd } = opened;
    try {
      if (access === 'write') await claim(path, fd, bytes);
      return deviceOf({ path, fd, bytes, durability: await durabilityOf(opened) });
    } catch (error) {
      await closeFd(fd);
      throw error;
    }
  } catch (error) {
    throw posixError(error, 'ring', path);
  }
}

/** A device that does not answer has failed: no read is waited for longer, and after one in vain none is begun. @throws PenstockError StoreUnavailable */
export function withReadDeadline(device: RingDevice, stallSeconds: number): RingDevice {
  let hung: unknown;
  return {
    ...device,
    async read(into, position) {
      if (hung !== undefined) throw hung;
      let isUnderWay = true;
      const answer = device.read(into, position).finally(() => {
        isUnderWay = false;
      });
      try {
        await within(stallSeconds * 1000, device.name, 'reading the ring', () => answer);
      } catch (error) {
        if (isUnderWay) hung = error;
        throw error;
      }
    },
    // What hangs cannot be closed; it goes with the process.
    close: () => (hung === undefined ? device.close() : Promise.resolve()),
  };
}

/** Linux refuses O_EXCL of a device that is mounted, or otherwise in use. */
async function isBlockDevice(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isBlockDevice();
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

/** Alone, and with all its room taken: a disk that is full says so now, and not in the middle of a checkpoint. */
async function claim(path: string, fd: number, bytes: number): Promise<void> {
  if (!(await lockFile(fd))) {
    throw new PenstockError('Conflict', 'another process is writing to this ring.', { store: path, nextStep: 'Wait until it ends, or end it.' });
  }
  const stats = await statFd(fd);
  if (!stats.isFile() || stats.size >= bytes) return;
  if (stats.size > 0) {
    throw new PenstockError('Conflict', `ring size: found ${bytes} in the site file; accepted: ${stats.size}, which the ring has.`, {
      store: path,
      nextStep: 'Correct the size, or drain its checkpoints, remove the file and let a new one be made.',
    });
  }
  await allocateBlocks(fd, bytes).catch((error: unknown) => {
    // Where blocks cannot be taken beforehand, a full disk fails the write.
    if (errnoOf(error) !== 'ENOSYS' && errnoOf(error) !== 'EOPNOTSUPP') throw error;
  });
  await resizeFd(fd, bytes);
  await syncDirectory(dirname(path));
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path);
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

function deviceOf({ path, fd, bytes, durability }: { path: string; fd: number; bytes: number; durability: string }): RingDevice {
  const descriptor = new Descriptor(fd);
  const mapped = async (call: (fd: number) => Promise<void>): Promise<void> => {
    await descriptor.use(call).catch((error: unknown) => {
      throw posixError(error, 'ring', path);
    });
  };
  return {
    name: path,
    bytes,
    durability,
    allocate: (wanted) => allocateAligned(wanted, BLOCK_BYTES),
    write: (from, position) => mapped((held) => writeFd(held, from, position)),
    read: (into, position) =>
      mapped(async (held) => {
        const filled = await readFd(held, into, position);
        if (filled < into.length) throw new PenstockError('IoError', `it ends at ${position + filled}.`, { store: path });
      }),
    close: () => descriptor.close(),
  };
}
