/** Brings to stable storage what others wrote: a checkpoint is committed only behind this. */
import { constants } from 'node:fs';
import { lstat, open, opendir } from 'node:fs/promises';
import { type HeldDirectory, settled, splitPath, withChildDirectory, withDirectory } from './contained-path.ts';
import { isMissing, posixError } from './posix-errors.ts';

const FILE_FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
/** fsync calls in flight of one directory: the device orders them better than we do. */
const SYNC_BATCH = 16;

/** @throws NotFound where nothing lies at the path: nothing is not durable */
export async function syncBelow(root: string, store: string, path: string): Promise<void> {
  const steps = splitPath(path, store);
  try {
    const name = steps.pop();
    if (name === undefined) return await withDirectory(root, store, [], {}, syncTree);
    await withDirectory(root, store, steps, {}, async (parent) => {
      const facts = await lstat(parent.child(name));
      if (facts.isDirectory()) await withChildDirectory(parent, name, syncTree);
      else await syncFile(parent, name);
    });
    // A name is durable once its directory is, and so on up to the root.
    for (let depth = steps.length; depth >= 0; depth -= 1) {
      await withDirectory(root, store, steps.slice(0, depth), {}, (held) => held.sync());
    }
  } catch (error) {
    throw posixError(error, store, path);
  }
}

async function syncTree(held: HeldDirectory): Promise<void> {
  let files: string[] = [];
  for await (const entry of await opendir(held.child('.'))) {
    if (entry.isDirectory()) await withChildDirectory(held, entry.name, syncTree);
    else if (entry.isFile()) files.push(entry.name);
    if (files.length >= SYNC_BATCH) files = await syncFiles(held, files);
  }
  await syncFiles(held, files);
  await held.sync();
}

/** @returns an empty list, to go on with */
async function syncFiles(held: HeldDirectory, names: readonly string[]): Promise<string[]> {
  await settled(
    names.map((name) =>
      syncFile(held, name).catch((error: unknown) => {
        // Removed while we walked.
        if (!isMissing(error)) throw error;
      }),
    ),
  );
  return [];
}

async function syncFile(parent: HeldDirectory, name: string): Promise<void> {
  const handle = await open(parent.child(name), FILE_FLAGS);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
