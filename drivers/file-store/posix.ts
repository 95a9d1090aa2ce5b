/** A POSIX directory tree as a {@link FileStore}. Linux only: containment needs `/proc/self/fd`. */
import { statfs } from 'node:fs/promises';
import { PenstockError } from '../../model/errors.ts';
import { splitPath } from './contained-path.ts';
import type { FileStore, PublishScope } from './port.ts';
import { createFileAt } from './posix-create.ts';
import { posixError, quoted } from './posix-errors.ts';
import { createLister } from './posix-list.ts';
import { listDirectoriesAt } from './posix-list-window.ts';
import { openFileAt } from './posix-open.ts';
import { readFileAt } from './posix-read.ts';
import { collectIn, removeAt, sweepBelow } from './posix-remove.ts';
import { createPosixScope, internalsOf, walkFrom } from './posix-scope.ts';
import { readTimeAt, statAt, statDirectoryAt } from './posix-stat.ts';
import { syncBelow } from './posix-sync.ts';
import { writeWholeAt } from './posix-whole.ts';
import { writeFileAt } from './posix-write.ts';
import type { Writing } from './posix-writing.ts';

const DEFAULT_LIMIT_BYTES = 16 * 2 ** 20;
const DEFAULT_DIRECTORY_MODE = 0o755;

export function createPosixFileStore({ name: store, root }: { readonly name: string; readonly root: string }): FileStore {
  const list = createLister(root, store);
  const walk = walkFrom(root, store);
  const createScope = () => createPosixScope(root, store);
  const writing = (scope: PublishScope | undefined): Writing => {
    const held = internalsOf(scope, root);
    return {
      store,
      walk,
      directories: held?.directories ?? walk,
      batch: held?.batch,
      small: held?.small,
      defer: held && scope ? (directory) => scope.defer(directory) : undefined,
    };
  };
  const linkScope = (within: string) => ({ root, store, directories: walk, within: splitPath(within, store) });
  return {
    name: store,
    root,
    list: (path, options = {}) => list(path, options),
    listDirectories: (path) => listDirectoriesAt(root, store, path),
    stat: (path, { symlinks = 'skip', within = '' } = {}) => statAt(linkScope(within), path, symlinks),
    readAt: (path) => readTimeAt(linkScope(''), path),
    read: (path, options = {}) => readFileAt(root, store, walk, path, options),
    openFile: (path, { scope, ...options } = {}) => openFileAt(root, store, internalsOf(scope, root)?.directories ?? walk, path, options),
    async readBytes(path, { limitBytes = DEFAULT_LIMIT_BYTES } = {}) {
      const file = await openFileAt(root, store, walk, path, {});
      try {
        const { bytes } = file.facts;
        if (bytes > limitBytes) throw new PenstockError('InvalidInput', `${quoted(path)} is larger than the ${limitBytes} bytes expected here.`, { store });
        const content = Buffer.allocUnsafe(bytes);
        await file.read(content, 0);
        return content;
      } finally {
        await file.close();
      }
    },
    write: (path, content, options = {}) => writeFileAt({ ...writing(options.scope), batch: undefined }, path, content, options),
    createFile: (path, options) => createFileAt(writing(options.scope), path, options),
    writesTogether: (bytes, scope) => internalsOf(scope, root)?.small.takes(bytes) ?? false,
    writeWhole: (path, content, options) => writeWholeAt(writing(options.scope), path, content, options),
    hasDirectory: async (path) => (await statDirectoryAt(linkScope(''), path, 'skip')) !== undefined,
    statDirectory: (path, { symlinks = 'skip', within = '' } = {}) => statDirectoryAt(linkScope(within), path, symlinks),
    async ensureDirectory(path, { mode = DEFAULT_DIRECTORY_MODE, modeOfNew, scope } = {}) {
      const make = async (batch: PublishScope): Promise<void> => {
        const create = { mode, modeOf: modeOfNew, changed: (directory: string) => batch.defer(directory) };
        await walk(splitPath(path, store), { create }, () => Promise.resolve()).catch((error: unknown) => {
          throw posixError(error, store, path);
        });
      };
      await (scope && internalsOf(scope, root) ? make(scope) : flushed(createScope(), make));
    },
    sync: (path) => syncBelow(root, store, path),
    async freeBytes() {
      const facts = await statfs(root).catch((error: unknown) => {
        throw posixError(error, store, '');
      });
      // bavail: what is reserved for root is not for us, whoever we run as.
      return facts.bavail * facts.bsize;
    },
    remove: (path) => flushed(createScope(), (scope) => removeAt(root, store, scope, path)),
    createScope,
    collect: (directory, attempts) => collectIn(root, store, directory, attempts),
    sweep: (path, olderThan) => sweepBelow(root, store, path, olderThan),
  };
}

/** What the work changed is durable when it returns. */
async function flushed(scope: PublishScope, work: (scope: PublishScope) => Promise<void>): Promise<void> {
  try {
    await work(scope);
    await scope.flush();
  } finally {
    await scope.close();
  }
}
