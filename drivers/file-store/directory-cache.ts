/**
 * Directories held open for many files of a batch, so that each is walked to once. What is held is what a contained walk opened; where a directory has
 * been removed or put elsewhere meanwhile, a name that is missing in it is looked up by a new walk, once.
 */
import { type Directories, enter, type HeldDirectory, openRoot, type WalkOptions } from './contained-path.ts';
import { isMissing } from './posix-errors.ts';

/** Held at a time, those in use apart: a descriptor each. */
const HELD_DIRECTORIES = 64;

interface Held {
  readonly directory: Promise<HeldDirectory>;
  users: number;
  isForgotten: boolean;
}

export interface DirectoryCache {
  readonly within: Directories;
  /** Closes all, those in use as soon as they no longer are. */
  close(): void;
}

export function createDirectoryCache(root: string, store: string): DirectoryCache {
  /** By path; the longest unused first. */
  const held = new Map<string, Held>();

  async function take(steps: readonly string[], options: WalkOptions): Promise<{ readonly entry: Held; readonly directory: HeldDirectory }> {
    const path = steps.join('/');
    const known = held.get(path);
    const entry: Held = known ?? { directory: open(steps, options), users: 0, isForgotten: false };
    held.delete(path);
    held.set(path, entry);
    entry.users += 1;
    try {
      const directory = await entry.directory;
      if (!known) forgetOldest();
      return { entry, directory };
    } catch (error) {
      if (held.get(path) === entry) held.delete(path);
      throw error;
    }
  }

  async function open(steps: readonly string[], options: WalkOptions): Promise<HeldDirectory> {
    const step = steps.at(-1);
    if (step === undefined) return openRoot(root, store);
    const parent = await take(steps.slice(0, -1), options);
    try {
      return await enter(parent.directory, step, store, options);
    } finally {
      giveBack(parent.entry);
    }
  }

  function giveBack(entry: Held): void {
    entry.users -= 1;
    closeUnused(entry);
  }

  function forget(path: string, entry: Held): void {
    held.delete(path);
    entry.isForgotten = true;
    closeUnused(entry);
  }

  function forgetOldest(): void {
    for (const [path, entry] of held) {
      if (held.size <= HELD_DIRECTORIES) return;
      if (entry.users === 0) forget(path, entry);
    }
  }

  /** The directory and those on the way to it. */
  function forgetWalk(steps: readonly string[]): void {
    for (let depth = 0; depth <= steps.length; depth += 1) {
      const path = steps.slice(0, depth).join('/');
      const entry = held.get(path);
      if (entry) forget(path, entry);
    }
  }

  return {
    async within(steps, options, use) {
      const wasHeld = held.has(steps.join('/')) || held.has(steps.slice(0, -1).join('/'));
      try {
        return await useOnce(steps, options, use);
      } catch (error) {
        if (!wasHeld || !isMissing(error)) throw error;
        forgetWalk(steps);
        return useOnce(steps, options, use);
      }
    },
    close() {
      for (const [path, entry] of held) forget(path, entry);
    },
  };

  async function useOnce<T>(steps: readonly string[], options: WalkOptions, use: (directory: HeldDirectory) => Promise<T>): Promise<T> {
    const { entry, directory } = await take(steps, options);
    try {
      return await use(directory);
    } finally {
      giveBack(entry);
    }
  }
}

function closeUnused(entry: Held): void {
  if (!entry.isForgotten || entry.users > 0) return;
  entry.directory.then(
    (directory) => directory.close(),
    () => undefined,
  );
}
