/** A directory that is a file system of its own size, so that a full one is really full: the kernel says so, in the middle of a write too. */
import { execFile } from 'node:child_process';
import { mkdir, statfs } from 'node:fs/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);

export interface SmallDisk {
  /** So much is free from now on, in whole pages of 4096. */
  leave(bytes: number): Promise<void>;
  /** As large as it was made. */
  widen(): Promise<void>;
  /** Takes it away, also where something in it is still open. */
  unmount(): Promise<void>;
}

/** A tmpfs. @throws where it may not be mounted, with what is missing: a test of a full disk is not to be left out */
export async function smallDisk(path: string, bytes: number): Promise<SmallDisk> {
  await mkdir(path, { recursive: true });
  await run('mount', ['-t', 'tmpfs', '-o', `size=${bytes}`, 'penstock-test', path]).catch((error: unknown) => {
    const reason = error instanceof Error ? error.message.trim() : String(error);
    throw new Error(`a full disk is a tmpfs of its own size, and ${path} cannot be one: ${reason}. Run it as root, where mounting is allowed.`, {
      cause: error,
    });
  });
  const resize = async (size: number): Promise<void> => void (await run('mount', ['-o', `remount,size=${size}`, path]));
  return {
    async leave(free) {
      const { blocks, bfree, bsize } = await statfs(path);
      await resize((blocks - bfree) * bsize + free);
    },
    widen: () => resize(bytes),
    unmount: async () => void (await run('umount', ['--lazy', path])),
  };
}
