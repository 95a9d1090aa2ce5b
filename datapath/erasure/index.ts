/** The erasure set: objects as 14+4 shards, one per rack. The format is docs/formats/erasure.md. */

export { findErasureObject } from './find.ts';
export type { Finding } from './findings.ts';
export { newWriteId } from './layout.ts';
export { listErasureObjects } from './list.ts';
export type { ErasureManifest } from './manifest.ts';
export { type ReadErasureObject, type ReadingErasureObject, readErasureObject } from './reader.ts';
export { removeAttempt, removeErasureObject } from './remove.ts';
export { type ErasureVerification, type ShardFacts, verifyErasureObject } from './verify.ts';
export { type WriteErasureObject, type WrittenErasureObject, writeErasureObject } from './writer.ts';
