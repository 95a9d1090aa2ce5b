/** A POSIX directory tree as a {@link FileStore}. Linux only: containment needs `/proc/self/fd`. */
import { lstat, statfs } from 'node:fs/promises';
import { bufferOf } from '../../datapath/transfer/crc32c.ts';
import { PenstockError } from '../../model/errors.ts';
import { splitParent, splitPath, withDirectory } from './contained-path.ts';
import type { FileFacts, FileStore, PublishScope } from './port.ts';
import { isMissing, posixError, quoted } from './posix-errors.ts';
import { createLister } from './posix-list.ts';
import { factsOf, readFileAt } from './posix-read.ts';
import { removeAt, sweepBelow } from './posix-remove.ts';
import { createPosixScope } from './posix-scope.ts';
import { syncBelow } from './posix-sync.ts';
import { writeFileAt } from './posix-write.ts';

const DEFAULT_LIMIT_BYTES = 16 * 2 ** 20;
const DEFAULT_DIRECTORY_MODE = 0o755;

export function createPosixFileStore({ name: store, root }: { readonly name: string; readonly root: string }): FileStore {
  const list = createLister(root, store);
  const createScope = () => createPosixScope(root, store);
  return {
    name: store,
    root,
    list: (path, options = {}) => list(path, options),
    stat: (path) => stat(root, store, path),
    read: (path, options = {}) => readFileAt(root, store, path, options),
    async readBytes(path, { limitBytes = DEFAULT_LIMIT_BYTES } = {}) {
      const chunks: Buffer[] = [];
      let bytes = 0;
      for await (const chunk of await readFileAt(root, store, path, {})) {
        const buffer = bufferOf(chunk);
        bytes += buffer.length;
        if (bytes > limitBytes) throw new PenstockError('InvalidInput', `${quoted(path)} is larger than the ${limitBytes} bytes expected here.`, { store });
        chunks.push(buffer);
      }
      return Buffer.concat(chunks, bytes);
    },
    write: (path, content, options = {}) => within(createScope, options.scope, (scope) => writeFileAt(root, store, scope, path, content, options)),
    ensureDirectory: (path, { mode = DEFAULT_DIRECTORY_MODE } = {}) =>
      within(createScope, undefined, async (scope) => {
        const walk = { create: { mode, changed: (directory: string) => scope.defer(directory) } };
        await withDirectory(root, store, splitPath(path, store), walk, () => Promise.resolve()).catch((error: unknown) => {
          throw posixError(error, store, path);
        });
      }),
    sync: (path) => syncBelow(root, store, path),
    async freeBytes() {
      const facts = await statfs(root).catch((error: unknown) => {
        throw posixError(error, store, '');
      });
      // bavail: what is reserved for root is not for us, whoever we run as.
      return facts.bavail * facts.bsize;
    },
    remove: (path) => within(createScope, undefined, (scope) => removeAt(root, store, scope, path)),
    createScope,
    sweep: (path, olderThan) => sweepBelow(root, store, path, olderThan),
  };
}

/** Under the caller's scope, or under one of its own that is flushed before the call returns. */
async function within<T>(create: () => PublishScope, given: PublishScope | undefined, work: (scope: PublishScope) => Promise<T>): Promise<T> {
  if (given) return work(given);
  const own = create();
  const result = await work(own);
  await own.flush();
  return result;
}

async function stat(root: string, store: string, path: string): Promise<FileFacts | undefined> {
  const { directory, name } = splitParent(path, store);
  try {
    const stats = await withDirectory(root, store, directory, {}, (parent) => lstat(parent.child(name), { bigint: true }));
    return stats.isFile() ? factsOf(path, stats) : undefined;
  } catch (error) {
    if (isMissing(error)) return undefined;
    const mapped = posixError(error, store, path);
    // A file where a directory would have to be: nothing lies below it.
    if (mapped instanceof PenstockError && mapped.type === 'Conflict') return undefined;
    throw mapped;
  }
}
