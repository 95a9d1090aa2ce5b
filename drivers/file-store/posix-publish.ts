/** Publishing: a temporary name becomes the file's own, whole, which is what decides between attempts. */
import { lstat } from 'node:fs/promises';
import { PenstockError } from '../../model/errors.ts';
import { type Directories, type HeldDirectory, identityOf, joinPath } from './contained-path.ts';
import type { FileThread } from './file-thread.ts';
import type { FileFacts } from './port.ts';
import { errnoOf, posixError, quoted } from './posix-errors.ts';
import { linkName, renameName, statLink, unlinkName } from './raw-fs.ts';

/** A file whose content is complete, under a temporary name. */
export interface Finished {
  readonly directory: readonly string[];
  /** The directory's, as {@link HeldDirectory.identity}. */
  readonly directoryIdentity: string;
  readonly temporary: string;
  readonly name: string;
  readonly replace: boolean;
  /** Device and inode of what was written. */
  readonly identity: string;
  readonly facts: FileFacts;
}

/**
 * The temporary name is gone afterwards, whatever happens. @throws Conflict where the name is taken, by a file without `replace`, by a directory, or by
 * whoever may write here and put another file in the temporary one's place. SessionLost where a later attempt has collected the temporary name
 */
export async function publishIn(parent: HeldDirectory, store: string, file: Finished): Promise<void> {
  const temporary = parent.child(file.temporary);
  const named = parent.child(file.name);
  try {
    if ((await parent.identity()) !== file.directoryIdentity) throw moved(store, parent.path);
    if (file.replace) {
      await renameName(temporary, named);
    } else {
      await linkName(temporary, named).catch(async (error: unknown) => {
        // A network file system may have done it and lost the answer.
        if (errnoOf(error) !== 'EEXIST' || (await identityAt(named)) !== file.identity) throw error;
      });
      await unlinkName(temporary);
    }
    if ((await identityAt(named)) === file.identity) return;
  } catch (error) {
    await unlinkName(temporary).catch(() => undefined);
    throw await explained(error, store, parent, file.name);
  }
  throw replaced(store, file);
}

/** The same of many, by a thread. @returns what became of each; undefined where it is to be tried by itself, which tells why. Rejects as {@link FileThread.run} */
export async function publishManyIn(
  parent: HeldDirectory,
  store: string,
  thread: FileThread,
  files: readonly Finished[],
): Promise<readonly ('published' | Error | undefined)[]> {
  // In another directory that lies there by now the temporary names are missing, and each file is told why.
  const directory = parent.child('');
  const { published } = await thread.run({
    content: NOTHING,
    files: [],
    names: files.map(({ identity, name, replace, temporary }) => ({ directory, temporary, name, replace, identity })),
  });
  return files.map((file, index) => (published[index] === 'replaced' ? replaced(store, file) : published[index]));
}
const NOTHING = new SharedArrayBuffer(0);

const replaced = (store: string, file: Finished): PenstockError =>
  new PenstockError('Conflict', `${quoted(file.facts.path)} was replaced by another file while it was published.`, { store });

const identityAt = async (path: string): Promise<string> => identityOf(await statLink(path));

/**
 * By a walk of its own: what is synced must be what now lies at the path. @param expected the identity of the directory that was written to
 * @param isCovered whether another call syncs what has this identity @throws IoError where another directory lies there
 */
export async function syncDirectory(
  walk: Directories,
  store: string,
  steps: readonly string[],
  expected?: string,
  isCovered: (identity: string) => boolean = () => false,
): Promise<void> {
  try {
    await walk(steps, {}, async (held) => {
      const identity = await held.identity();
      if (expected !== undefined && identity !== expected) throw moved(store, held.path);
      if (!isCovered(identity)) await held.sync();
    });
  } catch (error) {
    throw posixError(error, store, steps.join('/'));
  }
}

const moved = (store: string, directory: string): PenstockError =>
  new PenstockError('IoError', `The directory ${quoted(directory)} was moved while it was written.`, { store });

async function explained(error: unknown, store: string, parent: HeldDirectory, name: string): Promise<Error> {
  const path = joinPath(parent.path, name);
  const errno = errnoOf(error);
  const isDirectory =
    errno === 'EISDIR' ||
    errno === 'ENOTEMPTY' ||
    (errno === 'EEXIST' &&
      (await lstat(parent.child(name)).then(
        (facts) => facts.isDirectory(),
        () => false,
      )));
  if (isDirectory) {
    return new PenstockError('Conflict', `${quoted(path)} is a directory there, so no file can have that name.`, {
      store,
      cause: error,
      nextStep: 'Rename one of them.',
    });
  }
  if (errno === 'EEXIST') return new PenstockError('Conflict', `${quoted(path)} exists.`, { store, cause: error });
  // Not this entry's failure: whoever took it over moves it, and what this attempt says of it must not become the record.
  if (errno === 'ENOENT')
    return new PenstockError('SessionLost', `What was written for ${quoted(path)} is gone: a later attempt took it over, or somebody removed it.`, {
      store,
      cause: error,
    });
  return posixError(error, store, path);
}
