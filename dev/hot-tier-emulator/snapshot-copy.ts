/**
 * A point-in-time copy of a living directory. Files are copied, then the tree is walked again: what changed since is
 * copied again, until a walk finds nothing new. All that was copied was then unchanged until that walk began, so the copy is
 * the directory as it was at that instant. Reflinks where the file system has them; real copies elsewhere.
 */
import { constants } from 'node:fs';
import { copyFile, mkdir, open, rm, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { ApiError, errnoOf } from './api-error.ts';
import { at, ignore, locateFile, openDirectory, walk } from './tree.ts';

/** A directory that changes during so many walks is being written without pause. */
const MAX_WALKS = 8;
const COPIES_AT_ONCE = 16;
/** What the copy meets where a file has become a directory, or the reverse: it is begun anew. */
const kindChanged = new Set<string | undefined>(['EEXIST', 'ENOTDIR', 'EISDIR', 'ERR_FS_EISDIR']);

export interface CopiedTree {
  readonly files: number;
  readonly bytes: number;
}
interface Copy {
  readonly version: string;
  readonly bytes: number;
}
/** What the destination holds now. */
interface Held {
  readonly files: Map<string, Copy>;
  readonly directories: Set<string>;
}

/**
 * Copies what is below `path` into the new directory `destination`; a single file goes in under its own name. Synced when
 * it returns. 404 where the path is not on the tier, 503 where it is never still.
 */
export async function copyPointInTime(root: string, path: string, destination: string, signal: AbortSignal): Promise<CopiedTree> {
  const fileName = await fileNameOf(root, path);
  const target = (each: string): string => join(destination, fileName ?? each.slice(path.length));
  const held: Held = { files: new Map(), directories: new Set() };
  await mkdir(destination);
  for (let walks = 0; walks < MAX_WALKS; walks++) {
    const changed = await copyChanges(root, path, target, held, signal).catch(async (error: unknown) => {
      if (!kindChanged.has(errnoOf(error))) throw error;
      await rm(destination, { recursive: true });
      await mkdir(destination);
      held.files.clear();
      held.directories.clear();
      return true;
    });
    if (changed) continue;
    if ((await fileNameOf(root, path)) !== fileName) break;
    for (const directory of new Set([destination, ...[...held.directories].map(target)])) await syncPath(directory);
    return { files: held.files.size, bytes: [...held.files.values()].reduce((total, { bytes }) => total + bytes, 0) };
  }
  throw new ApiError('path_in_motion', `${path} changed during each of ${MAX_WALKS} walks, so no point in time could be copied; try again when writing pauses`);
}

/** One walk. @returns whether anything differed from what the destination held before */
async function copyChanges(root: string, path: string, target: (path: string) => string, held: Held, signal: AbortSignal): Promise<boolean> {
  const seen = new Set<string>();
  let changed = false;
  const pending = new Set<Promise<void>>();
  try {
    const onDirectory = async (directory: string): Promise<void> => {
      seen.add(directory);
      if (held.directories.has(directory)) return;
      changed = true;
      await mkdir(target(directory), { recursive: true });
      held.directories.add(directory);
    };
    for await (const { path: file, here } of walk({ here: root }, path, onDirectory)) {
      signal.throwIfAborted();
      seen.add(file);
      if (here && held.files.get(file)?.version === versionOf(here)) continue;
      changed = true;
      const copy = copyOne(root, file, target(file)).then((made) => void (made ? held.files.set(file, made) : held.files.delete(file)));
      pending.add(copy);
      copy.then(
        () => pending.delete(copy),
        () => {},
      );
      if (pending.size >= COPIES_AT_ONCE) await Promise.race(pending);
    }
    await Promise.all(pending);
  } finally {
    await Promise.allSettled(pending);
  }
  const gone = [...held.files.keys(), ...held.directories].filter((each) => !seen.has(each));
  for (const lost of gone) {
    await rm(target(lost), { recursive: true, force: true });
    held.files.delete(lost);
    held.directories.delete(lost);
  }
  return changed || gone.length > 0;
}

/** @returns what was copied, or undefined where the file changed or vanished meanwhile */
async function copyOne(root: string, path: string, target: string): Promise<Copy | undefined> {
  const located = await locateFile(root, path);
  if (!located) return undefined;
  const opened = open(at(located.parent, located.name), constants.O_RDONLY | constants.O_NOFOLLOW);
  const source = await opened.catch(ignore('ENOENT')).finally(() => located.parent.close());
  if (!source) return undefined;
  try {
    const before = await source.stat({ bigint: true });
    await rm(target, { force: true });
    // Through the descriptor: the very file that was looked at, whatever its name has become.
    await copyFile(`/proc/self/fd/${source.fd}`, target, constants.COPYFILE_FICLONE);
    const after = await source.stat({ bigint: true });
    if (versionOf(before) !== versionOf(after)) return undefined;
    await utimes(target, Number(before.atimeNs) / 1e9, Number(before.mtimeNs) / 1e9);
    await syncPath(target);
    return { version: versionOf(before), bytes: Number(before.size) };
  } finally {
    await source.close();
  }
}

async function fileNameOf(root: string, path: string): Promise<string | undefined> {
  const directory = await openDirectory(root, path);
  await directory?.close();
  if (directory) return undefined;
  const file = await locateFile(root, path);
  await file?.parent.close();
  if (file) return file.name;
  throw new ApiError('not_found', `${path} is not on the tier; stage it before taking a snapshot, or check its name`);
}

function versionOf(stats: { ino: bigint; size: bigint; mtimeNs: bigint; ctimeNs: bigint }): string {
  return `${stats.ino}:${stats.size}:${stats.mtimeNs}:${stats.ctimeNs}`;
}

export async function syncPath(path: string): Promise<void> {
  const handle = await open(path, constants.O_RDONLY);
  await handle.sync().finally(() => handle.close());
}
