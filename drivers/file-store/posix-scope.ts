/** A batch: directories held open, files published together, each changed directory synced once. */
import { type Directories, splitParent, withDirectory } from './contained-path.ts';
import { createDirectoryCache } from './directory-cache.ts';
import { createFileThread } from './file-thread.ts';
import { createGroupCommit, type GroupCommit } from './group-commit.ts';
import type { PublishScope } from './port.ts';
import { posixError } from './posix-errors.ts';
import { createSmallFiles, type SmallFiles } from './small-files.ts';

const internals = Symbol('what a scope holds');

/** A scope of this driver. The symbol goes along where a scope is copied to wrap one of its functions. */
export interface PosixScope extends PublishScope {
  readonly [internals]: ScopeInternals;
}
export interface ScopeInternals {
  readonly root: string;
  readonly directories: Directories;
  readonly batch: GroupCommit;
  readonly small: SmallFiles;
}

export const walkFrom =
  (root: string, store: string): Directories =>
  (steps, options, use) =>
    withDirectory(root, store, steps, options, use);

export function createPosixScope(root: string, store: string): PosixScope {
  let changed = new Set<string>();
  const cache = createDirectoryCache(root, store);
  const thread = createFileThread({ store });
  const batch = createGroupCommit({ root, store, directories: cache.within, walk: walkFrom(root, store), thread });
  const small = createSmallFiles(thread);
  return {
    [internals]: { root, directories: cache.within, batch, small },
    defer: (directory) => void changed.add(directory),
    async flush() {
      const deferred = changed;
      changed = new Set();
      const failures = await batch.flush(deferred);
      for (const directory of failures.keys()) changed.add(directory);
      const [failure] = failures.values();
      if (failure) throw failure;
    },
    async keep(path) {
      const { directory, name } = splitParent(path, store);
      try {
        await cache.within(directory, {}, (parent) => batch.keep(parent.child(name)));
      } catch (error) {
        throw posixError(error, store, path);
      }
      for (let depth = 0; depth <= directory.length; depth += 1) changed.add(directory.slice(0, depth).join('/'));
    },
    async close() {
      let ended: Promise<void> | undefined;
      await batch.close(changed, () => {
        cache.close();
        ended = thread.close();
      });
      await ended;
    },
  };
}

/** Undefined for no scope, and for one of another store: a batch is of one. */
export function internalsOf(scope: PublishScope | undefined, root: string): ScopeInternals | undefined {
  if (!scope || !isPosixScope(scope)) return undefined;
  return scope[internals].root === root ? scope[internals] : undefined;
}

const isPosixScope = (scope: PublishScope): scope is PosixScope => internals in scope;
