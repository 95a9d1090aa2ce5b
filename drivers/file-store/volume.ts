/** The file system below a store's root, and whether one call can make all of it durable. */
import { statfs } from 'node:fs/promises';
import { release } from 'node:os';
import { openRoot } from './contained-path.ts';
import { hasSyncfs, syncFileSystem } from './libc.ts';
import { posixError } from './posix-errors.ts';

/**
 * By their magic in linux/magic.h: ext4, XFS, Btrfs, F2FS, ZFS, tmpfs. Their syncfs reaches the device and, see {@link tellsWriteErrors}, tells what failed.
 * FUSE's answers without asking the server; of others we do not know.
 */
const HONEST_SYNCFS = new Set([0xef53, 0x58465342, 0x9123683e, 0xf2f52010, 0x2fc12fc1, 0x01021994]);

export interface Volume {
  /** Whether {@link sync} is about the file or directory of this identity: another file system may be mounted below the root. */
  covers(identity: string): boolean;
  /**
   * Everything written before is durable. Fails with what writing back failed with since the volume was opened. It is told once, so that nothing is covered after a
   * failure: what else was lost with it would not be told again.
   */
  sync(): Promise<void>;
  close(): void;
}

/** Before Linux 5.8 syncfs says nothing of what could not be written back. @param kernel as uname's release */
export function tellsWriteErrors(kernel: string): boolean {
  const [major = 0, minor = 0] = kernel.split(/[^0-9]/, 2).map(Number);
  return major > 5 || (major === 5 && minor >= 8);
}

export async function openVolume(root: string, store: string): Promise<Volume> {
  const held = await openRoot(root, store);
  try {
    const { type } = await statfs(held.child('.'));
    const device = (await held.identity()).split('-')[0];
    let isTrusted = HONEST_SYNCFS.has(type) && tellsWriteErrors(release()) && (await hasSyncfs());
    return {
      covers: (identity) => isTrusted && identity.startsWith(`${device}-`),
      async sync() {
        try {
          await syncFileSystem(held.fd);
        } catch (error) {
          isTrusted = false;
          throw posixError(error, store, '');
        }
      },
      close: () => held.close(),
    };
  } catch (error) {
    held.close();
    throw posixError(error, store, root);
  }
}
