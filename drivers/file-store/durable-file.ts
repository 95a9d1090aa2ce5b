/**
 * A new file whose every write is durable when it is answered, and so is its name. It is under its own name at once: for content that only a record, written later,
 * makes count.
 */
import { type BigIntStats, constants } from 'node:fs';
import { type HeldDirectory, identityOf, splitParent } from './contained-path.ts';
import { Descriptor } from './descriptor.ts';
import { type DirectFd, durabilityOf, openDirect } from './direct-file.ts';
import { allocateBlocks } from './libc.ts';
import type { FileStore } from './port.ts';
import { errnoOf, isMissing, posixError } from './posix-errors.ts';
import { walkFrom } from './posix-scope.ts';
import { closeFd, resizeFd, statFd, statLink, syncFd, writeFd } from './raw-fs.ts';

export interface DurableFile {
  /** What an answered write means, for people. */
  readonly durability: string;
  /** Any order, side by side. Memory, position and length are multiples of 4096. */
  write(from: Buffer, position: number): Promise<void>;
  /** Cuts the padding of the last write off, durably, and closes it. @returns what {@link identityAt} tells of it for as long as nobody changes or replaces it */
  end(bytes: number): Promise<string>;
  /** Waits for writes under way. May be called again. */
  close(): Promise<void>;
}

type Tree = Pick<FileStore, 'name' | 'root'>;

const DIRECTORY_MODE = 0o755;
const FILE_MODE = 0o644;
const CREATE_FLAGS = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

export interface DurableFileOptions {
  /** False where memory cannot be aligned. */
  readonly mayBeDirect: boolean;
  /** Taken beforehand, where it is known: a full disk says so now, and no write has to make the file longer. */
  readonly expectedBytes?: number | undefined;
}

/** @throws PenstockError Conflict where the name is taken */
export async function createDurableFile({ name: store, root }: Tree, path: string, options: DurableFileOptions): Promise<DurableFile> {
  const { directory, name } = splitParent(path, store);
  const walk = walkFrom(root, store);
  const made = new Set<string>();
  const create = { mode: DIRECTORY_MODE, changed: (above: string) => void made.add(above) };
  try {
    const opened = await walk(directory, { wanted: path, create }, async (parent: HeldDirectory) => {
      const file = await openDirect(parent.child(name), CREATE_FLAGS, options.mayBeDirect, FILE_MODE);
      try {
        await takeRoom(file.fd, options.expectedBytes ?? 0);
        await parent.sync();
        return file;
      } catch (error) {
        await closeFd(file.fd);
        throw error;
      }
    });
    // Directories that came with it, from the lowest on: a name counts only below names that last.
    for (const above of [...made].sort((a, b) => b.length - a.length)) await walk(above === '' ? [] : above.split('/'), {}, (held) => held.sync());
    return await fileOf(opened, store, path);
  } catch (error) {
    throw posixError(error, store, path);
  }
}

/** Of less, taking it costs as much as it saves. */
const TAKEN_FROM_BYTES = 8 * 2 ** 20;

async function takeRoom(fd: number, bytes: number): Promise<void> {
  if (bytes < TAKEN_FROM_BYTES) return;
  await allocateBlocks(fd, bytes).catch((error: unknown) => {
    if (errnoOf(error) === 'ENOSPC' || errnoOf(error) === 'EDQUOT') throw error;
    // A file system that cannot tells a full disk at the first write it has no room for.
  });
  await resizeFd(fd, bytes);
  await syncFd(fd);
}

async function fileOf(opened: DirectFd, store: string, path: string): Promise<DurableFile> {
  const { fd } = opened;
  try {
    const durability = await durabilityOf(opened);
    const descriptor = new Descriptor(fd);
    const mapped = <T>(call: Promise<T>): Promise<T> =>
      call.catch((error: unknown) => {
        throw posixError(error, store, path);
      });
    return {
      durability,
      write: (from, position) => mapped(descriptor.use((held) => writeFd(held, from, position))),
      async end(bytes) {
        const cut = async (held: number): Promise<string> => {
          await resizeFd(held, bytes);
          await syncFd(held);
          return versionOf(await statFd(held));
        };
        const identity = await mapped(descriptor.use(cut));
        await mapped(descriptor.close());
        return identity;
      },
      close: () => mapped(descriptor.close()),
    };
  } catch (error) {
    await closeFd(fd);
    throw error;
  }
}

/** An inode's number is given again to the file that replaces it, so its times go along. */
const versionOf = (stats: BigIntStats): string => `${identityOf(stats)}-${stats.birthtimeNs}-${stats.mtimeNs}`;

/** Of what lies there by now; undefined where nothing does. */
export async function identityAt({ name: store, root }: Tree, path: string): Promise<string | undefined> {
  const { directory, name } = splitParent(path, store);
  try {
    return await walkFrom(root, store)(directory, {}, async (parent) => versionOf(await statLink(parent.child(name))));
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw posixError(error, store, path);
  }
}
