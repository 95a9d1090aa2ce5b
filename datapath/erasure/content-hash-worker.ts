/** The thread of content-hash.ts; import it nowhere, for it listens to its parent. */
import { createHash, type Hash } from 'node:crypto';
import { parentPort } from 'node:worker_threads';
import type { HashReply, HashRequest } from './content-hash.ts';

const hashes = new Map<number, Hash>();

parentPort?.on('message', (request: HashRequest) => {
  const { id, object } = request;
  const hash = hashes.get(object) ?? createHash('sha256');
  if (request.kind === 'update') {
    hashes.set(object, hash);
    hash.update(new Uint8Array(request.slab, 0, request.bytes));
    parentPort?.postMessage({ id, slab: request.slab } satisfies HashReply, [request.slab]);
    return;
  }
  hashes.delete(object);
  parentPort?.postMessage((request.kind === 'digest' ? { id, digest: hash.digest('hex') } : { id }) satisfies HashReply);
});
