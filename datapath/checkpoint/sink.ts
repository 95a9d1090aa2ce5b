/** One of the places that a checkpoint is written to while the job waits: the ring, the rack's directory, or the global tier's. */
import type { CheckpointRecord } from '../../model/checkpoint-record.ts';

export interface CheckpointChunk {
  /** From 0, in the order they are acknowledged. */
  readonly index: number;
  readonly path: string;
  /** In its file; a multiple of 4 MiB. */
  readonly offset: number;
  readonly bytes: number;
  readonly crc32c: number;
  /** Of a file's last chunk: the file's length. */
  readonly fileBytes: number | undefined;
  /** What the file's length will likely be; only a hint. */
  readonly expectedBytes: number | undefined;
  /** Room for a header of 4096 bytes, the content, zeros up to a multiple of 4096. Aligned. */
  readonly block: Buffer;
}

export interface CheckpointSink {
  /** The store, for messages. */
  readonly name: string;
  /** What an answered write means, for people; known once there was one. */
  durability(): string;
  /** Durable when it settles. Chunks may be under way side by side, and settle in any order. */
  write(chunk: CheckpointChunk): Promise<void>;
  /** That the record could be published here; nothing is written. @throws PenstockError InvalidInput */
  accept(record: CheckpointRecord): void;
  /** Durable when it settles: from then on this place offers the checkpoint. Only after every chunk was written. @returns the record that stands */
  publish(record: CheckpointRecord): Promise<CheckpointRecord>;
  /** The record is gone; it may never have been there. */
  retract(): Promise<void>;
  /** Closes what is open, once nothing is written any more. May be called again. */
  close(): Promise<void>;
}
