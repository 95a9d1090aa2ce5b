/** The erasure set: objects as 14+4 shards, one per rack. The format is docs/formats/erasure.md. */

export { type EndangeredObject, endangered } from './endangered.ts';
export { findErasureObject } from './find.ts';
export { type Finding, isRepairDue } from './findings.ts';
export { DATA_SHARDS, MANIFEST_COPIES, newWriteId, PARITY_SHARDS } from './layout.ts';
export { listErasureObjects } from './list.ts';
export type { ErasureManifest } from './manifest.ts';
export type { PackMember } from './pack-format.ts';
export { openPackObject } from './pack-object.ts';
export { planPacks } from './pack-plan.ts';
export { openPack, splitPack } from './pack-reader.ts';
export { type Pack, packContent, packOf } from './pack-writer.ts';
export { type ReadErasureObject, type ReadingErasureBlocks, type ReadingErasureObject, readErasureBlocks, readErasureObject } from './reader.ts';
export { removeAttempt, removeErasureObject } from './remove.ts';
export { type ErasureVerification, type ShardFacts, unsureShards, verifyErasureObject } from './verify.ts';
export { type WriteErasureObject, type WrittenErasureObject, writeErasureObject } from './writer.ts';
