/**
 * A rack as a directory: a file per shard, written block by block under a temporary name, synced once, then linked under its own name without replace.
 * The directory must exist and belong to Penstock alone: a missing one is a rack that is gone, and is never created in passing.
 */
import { access, rmdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { isType, PenstockError } from '../../model/errors.ts';
import type { RackClosure } from '../../model/placement.ts';
import type { UnpublishedFile } from '../file-store/port.ts';
import { createPosixFileStore } from '../file-store/posix.ts';
import { posixError } from '../file-store/posix-errors.ts';
import { listKeys } from './directory-keys.ts';
import { removeIfUnchanged } from './directory-remove.ts';
import { MAX_MANIFEST_BYTES, type RackOptions, type RackStore, type ShardBody } from './port.ts';

export interface DirectoryRackConfig {
  readonly id: string;
  readonly room: string;
  readonly closed?: RackClosure | undefined;
  /** Absolute. */
  readonly root: string;
}

const PAGE_LIMIT = 1000;
/** Begins the temporary names. */
const ATTEMPT = 'rack';
/** A concurrent removal may take an empty directory away before the file is in it. */
const MAX_TRIES = 5;

export function createDirectoryRack({ id, room, closed, root }: DirectoryRackConfig): RackStore {
  const files = createPosixFileStore({ name: id, root });
  const checked = (key: string): string => {
    if (key === '') throw new PenstockError('InvalidInput', `${JSON.stringify(key)} is no key.`, { store: id });
    return key;
  };

  /** A missing root is told apart from a missing file. */
  async function mapped<T>(what: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      const rackIsThere = await access(root).then(
        () => true,
        () => false,
      );
      if (!rackIsThere) throw new PenstockError('StoreUnavailable', `the rack's directory is not there (${what}).`, { store: id, cause: error });
      throw posixError(error, id, what);
    }
  }

  async function begin(key: string, bytes: number): Promise<UnpublishedFile> {
    for (let attempt = 1; ; attempt++) {
      try {
        await access(root);
        return await files.createFile(key, { attempt: ATTEMPT, bytes });
      } catch (error) {
        if (!isType(error, 'NotFound') || attempt === MAX_TRIES) throw error;
      }
    }
  }

  async function publish(key: string, body: ShardBody, signal: AbortSignal | undefined): Promise<void> {
    const file = await begin(key, body.bytes);
    try {
      let position = 0;
      for await (const block of drawn(body, signal)) {
        if (position + block.length > body.bytes) throw new PenstockError('SourceChanged', `more than ${body.bytes} bytes came.`, { store: id });
        await file.write(block, position);
        position += block.length;
      }
      if (position !== body.bytes) throw new PenstockError('IoError', `${position} of ${body.bytes} bytes came.`, { store: id });
      signal?.throwIfAborted();
      await (await file.seal({ bytes: body.bytes })).published;
    } catch (error) {
      await file.abandon().catch(() => undefined);
      throw error;
    }
  }

  return {
    id,
    room,
    closed,

    freeBytes: () => mapped('asking for free space', () => files.freeBytes()),

    writeShard: (key, body, { signal }: RackOptions = {}) =>
      mapped(`writing ${key}`, async () => {
        try {
          await publish(checked(key), body, signal);
        } catch (error) {
          if (!isType(error, 'Conflict')) throw error;
          const existing = await files.stat(key);
          if (existing?.bytes !== body.bytes) throw error;
        }
      }),

    readInto: (key, into, { start = 0 } = {}) =>
      mapped(`reading ${key}`, async () => {
        const file = await files.openFile(checked(key));
        try {
          const totalBytes = file.facts.bytes;
          const bytes = Math.max(0, Math.min(into.length, totalBytes - start));
          await file.read(into.subarray(0, bytes), start);
          return { bytes, totalBytes };
        } finally {
          await file.close();
        }
      }),

    shardBytes: (key) =>
      mapped(`looking for ${key}`, async () => {
        const facts = await files.stat(checked(key));
        if (!facts) await access(root);
        return facts?.bytes;
      }),

    writeManifest: (key, body, { signal }: RackOptions = {}) =>
      mapped(`writing ${key}`, async () => {
        await publish(checked(key), { bytes: body.length, blocks: once(body) }, signal);
      }),

    readManifest: (key) =>
      mapped(`reading ${key}`, async () => {
        try {
          return await files.readBytes(checked(key), { limitBytes: MAX_MANIFEST_BYTES });
        } catch (error) {
          if (isType(error, 'InvalidInput')) throw new PenstockError('CorruptSource', `${key} is too large for a manifest.`, { store: id, cause: error });
          if (!isType(error, 'NotFound')) throw error;
          await access(root);
          return undefined;
        }
      }),

    list: (prefix, { after = '', limit = PAGE_LIMIT } = {}) =>
      mapped(`listing ${prefix}`, async () => {
        await access(root);
        const keys: string[] = [];
        for await (const key of listKeys(root, prefix, after)) {
          if (keys.length === limit) return { keys, next: keys.at(-1) };
          keys.push(key);
        }
        return { keys, next: undefined };
      }),

    remove: (key) =>
      mapped(`removing ${key}`, async () => {
        await files.remove(checked(key)).catch((error: unknown) => {
          // Another removal has taken the emptied directory away before this one synced it.
          if (!isType(error, 'NotFound')) throw error;
        });
        await access(root);
        await removeEmptied(root, dirname(join(root, key)));
      }),

    removeIf: (key, content) =>
      mapped(`removing ${key}`, async () => {
        const facts = await files.stat(checked(key));
        if (!facts) await access(root);
        // Whatever its length, it is not read for that.
        if (facts && facts.bytes !== content.length) return 'changed';
        const end = await removeIfUnchanged(join(root, key), content);
        if (end === 'gone') await removeEmptied(root, dirname(join(root, key)));
        return end;
      }),
  };
}

/** Not empty, or already gone through someone else: both end the tidying up. */
async function removeEmptied(root: string, lowest: string): Promise<void> {
  for (let directory = lowest; directory.length > root.length; directory = dirname(directory)) {
    const isRemoved = await rmdir(directory).then(
      () => true,
      () => false,
    );
    if (!isRemoved) return;
  }
}

/** The blocks, as long as they are wanted: whoever gives them may be silent when they are called off. */
async function* drawn({ blocks }: ShardBody, signal: AbortSignal | undefined): AsyncGenerator<Buffer> {
  const calledOff = Promise.withResolvers<never>();
  calledOff.promise.catch(() => undefined);
  const stop = () => calledOff.reject(signal?.reason);
  signal?.addEventListener('abort', stop, { once: true });
  const iterator = blocks[Symbol.asyncIterator]();
  try {
    signal?.throwIfAborted();
    for (;;) {
      const next = await Promise.race([iterator.next(), calledOff.promise]);
      if (next.done) return;
      yield next.value;
    }
  } finally {
    signal?.removeEventListener('abort', stop);
    iterator.return?.().catch(() => undefined);
  }
}

async function* once(block: Buffer): AsyncGenerator<Buffer> {
  yield block;
}
