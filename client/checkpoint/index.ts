/** What a node's agent imports to write checkpoints twice and to read them back. Nothing of Temporal is in the way of the bytes. */
export type { CopyFault, CopyName, Restored } from '../../datapath/checkpoint/nearest.ts';
export type { AcknowledgedChunk, CheckpointWriter, WrittenCheckpoint } from '../../datapath/checkpoint/write-checkpoint.ts';
export type { Lessor } from '../../datapath/transfer/leased-limiter.ts';
export { dropFromRing, restoreCheckpoint } from './copies.ts';
export { listCheckpoints, type OfferedCheckpoint, type OfferedCheckpoints } from './list.ts';
export { type CheckpointStores, openCheckpointStores, openCheckpointWriter } from './node.ts';
export type { AskForBandwidth } from './window.ts';
