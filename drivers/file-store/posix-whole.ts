/** Writing a file whose content is in memory: by the scope's thread where it is small, else step by step. */
import { identityOf, splitParent } from './contained-path.ts';
import { nanosecondsOf } from './instant.ts';
import type { FileFacts, FileWholeOptions } from './port.ts';
import { PERMISSION_BITS } from './posix-attributes.ts';
import { createFileAt, DIRECTORY_MODE, modeOfUnfinished } from './posix-create.ts';
import { posixError } from './posix-errors.ts';
import { factsOf } from './posix-open.ts';
import type { Finished } from './posix-publish.ts';
import { newSession, temporaryName } from './posix-session.ts';
import type { Writing } from './posix-writing.ts';
import { unlinkName } from './raw-fs.ts';
import { SMALL_FILE_BYTES } from './small-files.ts';

type Sealed = { readonly published: Promise<FileFacts> };

export async function writeWholeAt(writing: Writing, path: string, content: Buffer, options: FileWholeOptions): Promise<Sealed> {
  const { linkTarget, xattrs } = options.attributes ?? {};
  const isPlain = linkTarget === undefined && xattrs === undefined;
  const sealed = isPlain && content.length <= SMALL_FILE_BYTES ? await writeByThread(writing, path, content, options) : undefined;
  return sealed ?? writeStepByStep(writing, path, content, options);
}

async function writeStepByStep(writing: Writing, path: string, content: Buffer, options: FileWholeOptions): Promise<Sealed> {
  const bytes = content.length;
  const file = await createFileAt(writing, path, { ...options, bytes });
  try {
    await file.write(content, 0);
    return await file.seal({ ...options, bytes });
  } catch (error) {
    await file.abandon().catch(() => undefined);
    throw error;
  }
}

/** @returns undefined where it did not go smoothly: the other way finds out why, and says so */
async function writeByThread(writing: Writing, path: string, content: Buffer, options: FileWholeOptions): Promise<Sealed | undefined> {
  const { batch, defer, directories, small, store } = writing;
  if (!batch || !defer || !small) return undefined;
  const { directory, name } = splitParent(path, store);
  const { attempt, attributes, mode, modeOfNew, modifiedAt, replace = false } = options;
  const temporary = temporaryName(newSession(attempt));
  const create = { mode: DIRECTORY_MODE, modeOf: modeOfNew, changed: defer };
  try {
    const volume = await batch.begin();
    const finished = await directories(directory, { wanted: path, create }, async (parent): Promise<Finished | undefined> => {
      const directoryIdentity = await parent.identity();
      // Elsewhere a file has to be synced by itself, through the descriptor that wrote it.
      if (!volume.covers(directoryIdentity)) return undefined;
      const stats = await small.write({
        directory: parent.child(''),
        temporary,
        content,
        modeOfNew: modeOfUnfinished(mode),
        mode: attributes?.mode === undefined ? undefined : attributes.mode & PERMISSION_BITS,
        modifiedNs: modifiedAt === undefined ? undefined : nanosecondsOf(modifiedAt),
      });
      return stats && { directory, directoryIdentity, temporary, name, replace, identity: identityOf(stats), facts: factsOf(path, stats) };
    });
    if (!finished) return undefined;
    return await batch.join(finished).catch(async (error: unknown) => {
      await directories(directory, {}, (parent) => unlinkName(parent.child(temporary))).catch(() => undefined);
      throw error;
    });
  } catch (error) {
    throw posixError(error, store, path);
  }
}
