/**
 * A rack as a directory: a file per shard, written under a temporary name, synced, then linked under its own name without replace. The
 * directory must exist and belong to Penstock alone: a missing one is a rack that is gone, and is never created in passing.
 */
import { randomUUID } from 'node:crypto';
import { access, type FileHandle, link, mkdir, open, readdir, rmdir, stat, statfs, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { PenstockError } from '../../model/errors.ts';
import { MAX_MANIFEST_BYTES, type RackStore } from './port.ts';

export interface DirectoryRackConfig {
  readonly id: string;
  readonly room: string;
  /** Absolute. */
  readonly root: string;
}

const TEMPORARY = '.tmp';
const PAGE_LIMIT = 1000;
const READ_CHUNK_BYTES = 262_144;

export function createDirectoryRack({ id, room, root }: DirectoryRackConfig): RackStore {
  const pathOf = (key: string): string => {
    if (key.split('/').some((step) => step === '' || step === '.' || step === '..' || step.includes('\0'))) {
      throw new PenstockError('InvalidInput', `${JSON.stringify(key)} is no key.`, { store: id });
    }
    return join(root, key);
  };

  /** Calls with every file system error mapped; a missing root is told apart from a missing file. */
  async function mapped<T>(what: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (error instanceof PenstockError || isAbort(error)) throw error;
      const rackIsThere = await access(root).then(
        () => true,
        () => false,
      );
      if (!rackIsThere) throw new PenstockError('StoreUnavailable', `the rack's directory is not there (${what}).`, { store: id, cause: error });
      throw mapError(error, `${what} failed`, id);
    }
  }

  async function publish(key: string, fill: (file: FileHandle) => Promise<void>, signal?: AbortSignal): Promise<void> {
    const path = pathOf(key);
    const temporary = join(root, TEMPORARY, randomUUID());
    await mkdir(join(root, TEMPORARY)).catch(ignore('EEXIST'));
    const file = await open(temporary, 'wx', 0o640);
    try {
      await fill(file);
      await file.sync();
      signal?.throwIfAborted();
      await linkInto(root, temporary, path);
    } finally {
      await file.close();
      await unlink(temporary).catch(ignore('ENOENT'));
    }
  }

  return {
    id,
    room,

    freeBytes: () =>
      mapped('asking for free space', async () => {
        const facts = await statfs(root);
        return facts.bavail * facts.bsize;
      }),

    writeShard: (key, content, { bytes, signal }) =>
      mapped(`writing ${key}`, async () => {
        try {
          await publish(key, (file) => fillFrom(file, content, bytes, signal), signal);
        } catch (error) {
          content.destroy();
          if (codeOf(error) !== 'EEXIST') throw error;
          const existing = await stat(pathOf(key));
          if (existing.size !== bytes) throw new PenstockError('Conflict', `${key} exists with ${existing.size} instead of ${bytes} bytes.`, { store: id });
        }
      }),

    readShard: (key, { range, signal } = {}) =>
      mapped(`reading ${key}`, async () => {
        const file = await open(pathOf(key), 'r');
        const bounds = range ? { start: range.start, end: range.end } : {};
        return file.createReadStream({ ...bounds, ...(signal ? { signal } : {}), highWaterMark: READ_CHUNK_BYTES });
      }),

    shardBytes: (key) =>
      mapped(`looking for ${key}`, async () => {
        const facts = await stat(pathOf(key)).catch(ignore('ENOENT'));
        if (!facts) await access(root);
        return facts?.size;
      }),

    writeManifest: (key, body, { signal } = {}) =>
      mapped(`writing ${key}`, async () => {
        try {
          await publish(key, (file) => file.writeFile(body), signal);
        } catch (error) {
          if (codeOf(error) !== 'EEXIST') throw error;
          throw new PenstockError('Conflict', `${key} exists already.`, { store: id, cause: error });
        }
      }),

    readManifest: (key) =>
      mapped(`reading ${key}`, async () => {
        const file = await open(pathOf(key), 'r').catch(ignore('ENOENT'));
        if (!file) {
          await access(root);
          return undefined;
        }
        try {
          const { size } = await file.stat();
          if (size > MAX_MANIFEST_BYTES) throw new PenstockError('CorruptSource', `${key} has ${size} bytes, too many for a manifest.`, { store: id });
          return await file.readFile();
        } finally {
          await file.close();
        }
      }),

    list: (prefix, { after = '', limit = PAGE_LIMIT } = {}) =>
      mapped(`listing ${prefix}`, async () => {
        await access(root);
        const keys: string[] = [];
        for await (const key of walk(root, '', prefix, after)) {
          if (keys.length === limit) return { keys, next: keys.at(-1) };
          keys.push(key);
        }
        return { keys, next: undefined };
      }),

    remove: (key) =>
      mapped(`removing ${key}`, async () => {
        const path = pathOf(key);
        await unlink(path).catch(ignore('ENOENT'));
        await access(root);
        for (let directory = dirname(path); directory.length > root.length; directory = dirname(directory)) {
          // Not empty, or already gone through someone else: both end the tidying up.
          if (
            !(await rmdir(directory).then(
              () => true,
              () => false,
            ))
          )
            break;
        }
      }),
  };
}

async function fillFrom(file: FileHandle, content: Readable, bytes: number, signal: AbortSignal | undefined): Promise<void> {
  let written = 0;
  const sink = async (chunks: AsyncIterable<Buffer>): Promise<void> => {
    for await (const chunk of chunks) {
      await writeFully(file, chunk);
      written += chunk.length;
    }
  };
  await (signal ? pipeline(content, sink, { signal }) : pipeline(content, sink));
  if (written !== bytes) throw new PenstockError('IoError', `${written} of ${bytes} bytes came.`);
}

async function writeFully(file: FileHandle, chunk: Buffer): Promise<void> {
  for (let offset = 0; offset < chunk.length; ) {
    offset += (await file.write(chunk, offset)).bytesWritten;
  }
}

/** EEXIST where the name is taken. Synced up to the first directory that was there before. */
async function linkInto(root: string, temporary: string, path: string): Promise<void> {
  const directory = dirname(path);
  for (let attempt = 1; ; attempt++) {
    const firstCreated = await mkdir(directory, { recursive: true, mode: 0o750 });
    try {
      await link(temporary, path);
    } catch (error) {
      // A concurrent remove may take the empty directory away between the two calls.
      if (codeOf(error) === 'ENOENT' && attempt < 5) continue;
      throw error;
    }
    const top = firstCreated ? dirname(firstCreated) : directory;
    for (let synced = directory; ; synced = dirname(synced)) {
      await syncDirectory(synced);
      if (synced === top || synced.length <= root.length) return;
    }
  }
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

/** Keys in byte order: a directory sorts as its name with a slash, as its keys do. Skips what lies outside prefix and page. */
async function* walk(root: string, directory: string, prefix: string, after: string): AsyncGenerator<string> {
  const entries = await readdir(join(root, directory), { withFileTypes: true }).catch(ignore('ENOENT'));
  const names = (entries ?? [])
    .filter((entry) => entry.isDirectory() || entry.isFile())
    .map((entry) => directory + entry.name + (entry.isDirectory() ? '/' : ''))
    .filter((name) => name !== `${TEMPORARY}/`)
    .sort(byBytes);
  for (const name of names) {
    if (name.endsWith('/')) {
      const within = name.startsWith(prefix) || prefix.startsWith(name);
      const behind = byBytes(name, after) > 0 || after.startsWith(name);
      if (within && behind) yield* walk(root, name, prefix, after);
    } else if (name.startsWith(prefix) && byBytes(name, after) > 0) {
      yield name;
    }
  }
}

function byBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

function mapError(error: unknown, message: string, store: string): PenstockError {
  const code = codeOf(error);
  const text = `${message}${code ? ` (${code})` : ''}.`;
  if (code === 'ENOENT') return new PenstockError('NotFound', text, { store, cause: error });
  if (code === 'ENOSPC' || code === 'EDQUOT') return new PenstockError('OutOfSpace', text, { store, cause: error });
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') return new PenstockError('Denied', text, { store, cause: error });
  return new PenstockError('IoError', text, { store, cause: error });
}

function isAbort(error: unknown): boolean {
  return error instanceof Error && error.name === 'AbortError';
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

function ignore(code: string): (error: unknown) => undefined {
  return (error) => {
    if (codeOf(error) !== code) throw error;
    return undefined;
  };
}
