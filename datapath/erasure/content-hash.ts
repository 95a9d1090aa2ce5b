/**
 * The SHA-256 of an object's content, stripe by stripe and off the event loop: at 1.3 GB/s it would be the dearest work of the thread that also drives all racks. One
 * thread for the process, started at first use; it never keeps a process alive.
 */
import { createHash } from 'node:crypto';
import { Worker } from 'node:worker_threads';
import { PenstockError } from '../../model/errors.ts';

export interface ContentHash {
  /** Takes the first bytes of the slab in. The slab is the hash's until it comes back. Calls are taken in their order. */
  update(slab: ArrayBuffer, bytes: number): Promise<ArrayBuffer>;
  /** Hex; after the last update has come back. */
  digest(): Promise<string>;
  /** Not to be digested: lets go of what the thread keeps of it. */
  drop(): void;
}

export type HashRequest =
  | { readonly id: number; readonly object: number; readonly kind: 'update'; readonly slab: ArrayBuffer; readonly bytes: number }
  | { readonly id: number; readonly object: number; readonly kind: 'digest' | 'drop' };
export interface HashReply {
  readonly id: number;
  readonly slab?: ArrayBuffer;
  readonly digest?: string;
}

/** A smaller object is hashed in place: a thread's round trip would cost more. */
const INLINE_BYTES = 1_048_576;

export function createContentHash(objectBytes: number): ContentHash {
  return objectBytes <= INLINE_BYTES ? inline() : onThread();
}

function inline(): ContentHash {
  const hash = createHash('sha256');
  return {
    async update(slab, bytes) {
      hash.update(new Uint8Array(slab, 0, bytes));
      return slab;
    },
    digest: async () => hash.digest('hex'),
    drop: () => undefined,
  };
}

let lastObject = 0;

function onThread(): ContentHash {
  const object = ++lastObject;
  const { send } = hashThread();
  return {
    async update(slab, bytes) {
      const { slab: back } = await send((id) => ({ id, object, kind: 'update', slab, bytes }), [slab]);
      if (!back) throw lost();
      return back;
    },
    async digest() {
      const { digest } = await send((id) => ({ id, object, kind: 'digest' }));
      if (digest === undefined) throw lost();
      return digest;
    },
    drop() {
      // A thread that has died keeps nothing.
      send((id) => ({ id, object, kind: 'drop' })).catch(() => undefined);
    },
  };
}

interface HashThread {
  send(request: (id: number) => HashRequest, transfer?: ArrayBuffer[]): Promise<HashReply>;
}

let current: HashThread | undefined;

function hashThread(): HashThread {
  current ??= startThread();
  return current;
}

function startThread(): HashThread {
  const worker = new Worker(new URL('./content-hash-worker.ts', import.meta.url));
  const pending = new Map<number, { resolve(reply: HashReply): void; reject(error: Error): void }>();
  let lastId = 0;
  let failure: PenstockError | undefined;
  const lose = (cause: unknown): void => {
    failure ??= lost(cause);
    if (current === thread) current = undefined;
    for (const { reject } of pending.values()) reject(failure);
    pending.clear();
  };
  worker.unref();
  worker.on('message', (reply: HashReply) => {
    pending.get(reply.id)?.resolve(reply);
    pending.delete(reply.id);
    if (pending.size === 0) worker.unref();
  });
  worker.on('error', lose);
  worker.on('exit', (code) => lose(new Error(`exit code ${code}`)));
  const thread: HashThread = {
    send(request, transfer = []) {
      // The state of a hash is gone with its thread.
      if (failure) return Promise.reject(failure);
      const id = ++lastId;
      return new Promise((resolve, reject) => {
        pending.set(id, { resolve, reject });
        worker.ref();
        worker.postMessage(request(id), transfer);
      });
    },
  };
  return thread;
}

const lost = (cause?: unknown): PenstockError => new PenstockError('IoError', 'the thread that hashes content ended before its work was done.', { cause });
