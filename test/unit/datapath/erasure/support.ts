/** Racks in memory with faults on demand, and short ways to say what the tests say often. */
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { newWriteId, readErasureObject, type WriteErasureObject, type WrittenErasureObject, writeErasureObject } from '../../../../datapath/erasure/index.ts';
import type { Patience } from '../../../../datapath/erasure/patience.ts';
import type { RackStore } from '../../../../drivers/rack-store/port.ts';
import { PenstockError } from '../../../../model/errors.ts';

export interface MemoryRack extends RackStore {
  readonly objects: Map<string, Buffer>;
  /** Thrown, or awaited for ever, by the calls named. A function decides by key. */
  readonly faults: Map<keyof RackStore, Fault>;
}
export type Fault = 'fail' | 'full' | 'hang' | ((key: string) => 'fail' | 'full' | 'hang' | undefined);

export const impatient: Patience = { requestMilliseconds: 600, stallMilliseconds: 600 };

export function memoryRack(id: string, room: string): MemoryRack {
  const objects = new Map<string, Buffer>();
  const faults = new Map<keyof RackStore, Fault>();
  async function enter(method: keyof RackStore, key: string): Promise<void> {
    // A turn of the event loop, so that concurrent writers really interleave.
    await new Promise((resolve) => setImmediate(resolve));
    const fault = faults.get(method);
    const kind = typeof fault === 'function' ? fault(key) : fault;
    if (kind === 'hang') await new Promise<never>(() => undefined);
    if (kind === 'full') throw new PenstockError('OutOfSpace', 'no space left.', { store: id });
    if (kind === 'fail') throw new PenstockError('StoreUnavailable', 'the rack is down.', { store: id });
  }
  const put = (key: string, body: Buffer) => {
    if (objects.has(key)) throw new PenstockError('Conflict', `${key} exists.`, { store: id });
    objects.set(key, body);
  };
  return {
    id,
    room,
    objects,
    faults,
    async freeBytes() {
      await enter('freeBytes', '');
      return undefined;
    },
    async writeShard(key, { blocks, bytes }) {
      await enter('writeShard', key);
      const body = await copyOf(blocks);
      if (body.length !== bytes) throw new PenstockError('IoError', `${body.length} of ${bytes} bytes came.`);
      put(key, body);
    },
    async readInto(key, into, { start = 0 } = {}) {
      await enter('readInto', key);
      const body = objects.get(key);
      if (!body) throw new PenstockError('NotFound', `${key} is not there.`, { store: id });
      return { bytes: body.copy(into, 0, start), totalBytes: body.length };
    },
    async shardBytes(key) {
      await enter('shardBytes', key);
      return objects.get(key)?.length;
    },
    async writeManifest(key, body) {
      await enter('writeManifest', key);
      put(key, body);
    },
    async readManifest(key) {
      await enter('readManifest', key);
      return objects.get(key);
    },
    async list(prefix, { after = '', limit = 1000 } = {}) {
      await enter('list', prefix);
      const keys = [...objects.keys()].filter((key) => key.startsWith(prefix) && key > after).sort();
      return { keys: keys.slice(0, limit), next: keys.length > limit ? keys[limit - 1] : undefined };
    },
    async remove(key) {
      await enter('remove', key);
      objects.delete(key);
    },
    async removeIf(key, content) {
      await enter('removeIf', key);
      const body = objects.get(key);
      if (body && !body.equals(content)) return 'changed';
      objects.delete(key);
      return 'gone';
    },
  };
}

/** As a rack must: a block is its giver's again when the next one is drawn. */
async function copyOf(blocks: AsyncIterable<Buffer>): Promise<Buffer> {
  const copies: Buffer[] = [];
  for await (const block of blocks) copies.push(Buffer.from(block));
  return Buffer.concat(copies);
}

/** 20 racks in four rooms, as in temporal-dev.yaml. */
export function memorySite(count = 20): MemoryRack[] {
  return Array.from({ length: count }, (_, index) => memoryRack(`r${String(index + 1).padStart(2, '0')}`, `room-${'abcd'[Math.floor(index / 5) % 4]}`));
}

export function failAll(rack: MemoryRack, fault: Fault = 'fail'): void {
  for (const method of ['freeBytes', 'writeShard', 'readInto', 'shardBytes', 'writeManifest', 'readManifest', 'list', 'remove', 'removeIf'] as const)
    rack.faults.set(method, fault);
}

/** Repeatable noise. */
export function noise(bytes: number, seed = 1): Buffer {
  const data = Buffer.alloc(bytes);
  for (let index = 0, state = seed >>> 0; index < bytes; index++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    data[index] = state >>> 24;
  }
  return data;
}

export const sha256 = (data: Buffer): string => createHash('sha256').update(data).digest('hex');

/** In uneven chunks, as sources give them. */
export function streamOf(data: Buffer, chunkBytes = 70_001): Readable {
  function* chunks(): Generator<Buffer> {
    for (let start = 0; start < data.length; start += chunkBytes) yield data.subarray(start, start + chunkBytes);
  }
  return Readable.from(chunks(), { objectMode: false });
}

export function write(racks: readonly RackStore[], key: string, data: Buffer, more: Partial<WriteErasureObject> = {}): Promise<WrittenErasureObject> {
  return writeErasureObject({ racks, key, content: streamOf(data), bytes: data.length, writeId: newWriteId(), patience: impatient, ...more });
}

export async function read(racks: readonly RackStore[], key: string, patience = impatient): Promise<Buffer> {
  const { content } = await readErasureObject({ racks, key, patience });
  return buffer(content);
}

export async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

/** Every key on any rack that begins so. */
export function keysOn(racks: readonly MemoryRack[], prefix: string): string[] {
  return racks.flatMap(({ id, objects }) => [...objects.keys()].filter((key) => key.startsWith(prefix)).map((key) => `${id}:${key}`));
}

/** All ways to choose so many of `size` things, by number. */
export function* combinations(size: number, count: number, from = 0): Generator<number[]> {
  if (count === 0) {
    yield [];
    return;
  }
  for (let first = from; first <= size - count; first++) for (const rest of combinations(size, count - 1, first + 1)) yield [first, ...rest];
}
