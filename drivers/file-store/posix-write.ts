/** Writing a file: a temporary name of the attempt's own, synced, then published whole under its name, which is what decides between attempts. */
import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, link, lstat, open, rename, unlink } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { bufferOf } from '../../datapath/transfer/crc32c.ts';
import { PenstockError } from '../../model/errors.ts';
import { type HeldDirectory, joinPath, splitParent, TEMPORARY_PREFIX, withDirectory } from './contained-path.ts';
import type { FileFacts, FileWriteOptions, PublishScope } from './port.ts';
import { errnoOf, posixError, quoted } from './posix-errors.ts';
import { factsOf } from './posix-read.ts';

const DIRECTORY_MODE = 0o755;
const FILE_MODE = 0o644;
const CREATE_FLAGS = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

export async function writeFileAt(
  root: string,
  store: string,
  scope: PublishScope,
  path: string,
  content: Readable | Buffer,
  options: FileWriteOptions,
): Promise<FileFacts> {
  try {
    const { directory, name } = splitParent(path, store);
    const walk = { wanted: path, create: { mode: DIRECTORY_MODE, changed: (changed: string) => scope.defer(changed) } };
    return await withDirectory(root, store, directory, walk, async (parent) => {
      const facts = await publishIn(parent, name, content, options);
      scope.defer(parent.path);
      return facts;
    });
  } catch (error) {
    if (!Buffer.isBuffer(content)) content.destroy();
    throw taken(error, store, path);
  }
}

async function publishIn(parent: HeldDirectory, name: string, content: Readable | Buffer, options: FileWriteOptions): Promise<FileFacts> {
  const temporary = temporaryName(options.attempt);
  const handle = await open(parent.child(temporary), CREATE_FLAGS, FILE_MODE);
  let published = false;
  try {
    await fill(handle, content, options.signal);
    if (options.modifiedAt !== undefined) await setModified(handle, options.modifiedAt);
    await handle.sync();
    options.signal?.throwIfAborted();
    if (options.replace) await rename(parent.child(temporary), parent.child(name));
    else await linkAs(parent, temporary, name);
    published = options.replace ?? false;
    return await factsOfPublished(parent, name, handle);
  } finally {
    if (!published) await unlink(parent.child(temporary)).catch(() => undefined);
    await handle.close();
  }
}

async function linkAs(parent: HeldDirectory, temporary: string, name: string): Promise<void> {
  try {
    await link(parent.child(temporary), parent.child(name));
  } catch (error) {
    const holder = errnoOf(error) === 'EEXIST' ? await lstat(parent.child(name)).catch(() => undefined) : undefined;
    throw holder?.isDirectory() ? Object.assign(new Error('a directory', { cause: error }), { code: 'EISDIR' }) : error;
  }
}

async function fill(handle: FileHandle, content: Readable | Buffer, signal: AbortSignal | undefined): Promise<void> {
  if (Buffer.isBuffer(content)) return handle.writeFile(content);
  await pipeline(
    content,
    async (chunks: AsyncIterable<unknown>) => {
      for await (const block of blocksOf(chunks)) await writeAll(handle, block);
    },
    signal ? { signal } : {},
  );
}

/** Each write is a trip through the thread pool: a socket's chunks of 64 KiB are put together to blocks. */
const BLOCK_BYTES = 2 ** 20;

async function* blocksOf(chunks: AsyncIterable<unknown>): AsyncGenerator<Buffer, void> {
  let pending: Buffer[] = [];
  let pendingBytes = 0;
  for await (const piece of chunks) {
    const chunk = bufferOf(piece);
    pending.push(chunk);
    pendingBytes += chunk.length;
    if (pendingBytes < BLOCK_BYTES) continue;
    yield Buffer.concat(pending, pendingBytes);
    pending = [];
    pendingBytes = 0;
  }
  if (pendingBytes > 0) yield Buffer.concat(pending, pendingBytes);
}

/** A write may take less than it was given, as on a disk about to be full. */
async function writeAll(handle: FileHandle, buffer: Buffer): Promise<void> {
  for (let offset = 0; offset < buffer.length; ) {
    offset += (await handle.write(buffer, offset, buffer.length - offset)).bytesWritten;
  }
}

/**
 * utimes takes seconds in a double, which near today resolves 0.24 us and may land just below the millisecond; half a microsecond more
 * makes every instant come back as it was given.
 */
async function setModified(handle: FileHandle, modifiedAt: string): Promise<void> {
  const seconds = (Date.parse(modifiedAt) + 0.0005) / 1000;
  await handle.utimes(seconds, seconds);
}

/** The published name must be the file written here: whoever may write this directory could have put another in the temporary one's place. */
async function factsOfPublished(parent: HeldDirectory, name: string, handle: FileHandle): Promise<FileFacts> {
  const [named, written] = await Promise.all([lstat(parent.child(name), { bigint: true }), handle.stat({ bigint: true })]);
  const path = joinPath(parent.path, name);
  if (named.ino === written.ino && named.dev === written.dev) return factsOf(path, written);
  throw new PenstockError('Conflict', `${quoted(path)} was replaced by another file while it was published.`);
}

/** Unique per call: not even two activities of one attempt meet. */
function temporaryName(attempt: string | undefined): string {
  const label = (attempt ?? 'none').replaceAll(/[^A-Za-z0-9._-]/g, '_').slice(0, 64);
  return `${TEMPORARY_PREFIX}${label}-${randomBytes(8).toString('hex')}`;
}

function taken(error: unknown, store: string, path: string): Error {
  const errno = errnoOf(error);
  if (errno === 'EEXIST') return new PenstockError('Conflict', `${quoted(path)} exists.`, { store, cause: error });
  if (errno === 'EISDIR' || errno === 'ENOTEMPTY') {
    return new PenstockError('Conflict', `${quoted(path)} is a directory there, so no file can have that name.`, {
      store,
      cause: error,
      nextStep: 'Rename one of them.',
    });
  }
  return posixError(error, store, path);
}
