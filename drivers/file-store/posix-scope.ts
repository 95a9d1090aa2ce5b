/** Syncs each changed directory once for a batch of files, instead of once per file. */
import { splitPath, withDirectory } from './contained-path.ts';
import type { PublishScope } from './port.ts';
import { posixError } from './posix-errors.ts';

export function createPosixScope(root: string, store: string): PublishScope {
  let changed = new Set<string>();
  return {
    defer: (directory) => void changed.add(directory),
    async flush() {
      const directories = changed;
      changed = new Set();
      for (const directory of directories) {
        await syncDirectory(root, store, directory).catch((error: unknown) => {
          changed = new Set([...directories, ...changed]);
          throw posixError(error, store, directory);
        });
      }
    },
  };
}

async function syncDirectory(root: string, store: string, directory: string): Promise<void> {
  await withDirectory(root, store, splitPath(directory, store), {}, (held) => held.handle.sync());
}
