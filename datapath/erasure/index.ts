/** The erasure set: objects as 14+4 shards, one per rack. The format is docs/formats/erasure.md. */
export { newWriteId } from './layout.ts';
export { writeErasureObject, type WriteErasureObject, type WrittenErasureObject } from './writer.ts';
export { readErasureObject, type ReadErasureObject, type ReadingErasureObject } from './reader.ts';
export { verifyErasureObject, type ErasureVerification, type ShardFacts } from './verify.ts';
export { removeAttempt, removeErasureObject } from './remove.ts';
export { listErasureObjects } from './list.ts';
export { findErasureObject } from './find.ts';
export type { ErasureManifest } from './manifest.ts';
export type { Finding } from './findings.ts';
