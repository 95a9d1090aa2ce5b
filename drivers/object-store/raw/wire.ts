/** What a connection is asked, and what it promises. */
import type { RawAnswer } from './answer.ts';
import type { BlockSource } from './blocks.ts';

/** Holds any head (S3 allows 8 KiB), and a small object behind it. */
export const SCRATCH_BYTES = 16 * 1024;

export interface WireRequest {
  /** Request line and headers, with the empty line behind them. */
  readonly head: string;
  readonly isHead: boolean;
  readonly body?: Buffer | BlockSource | undefined;
  /** Takes the body of a 200 or 206. */
  readonly into?: Buffer | undefined;
  /** Takes each buffer that is full, so that the body may be longer than `into`. */
  readonly drain?: Drain | undefined;
  /** Hears the head that goes before it. */
  readonly told?: ((headers: RawAnswer['headers']) => void) | undefined;
  /** Sees each piece of it as it comes, while it is still in the processor's cache. */
  readonly seen?: ((piece: Buffer) => void) | undefined;
}

export interface Drain {
  /** Of the body at most. */
  readonly bytes: number;
  /** @returns what is filled next, of at least {@link SCRATCH_BYTES}; nothing is received before it is there */
  take(full: Buffer): Buffer | Promise<Buffer>;
}

export interface Connection {
  /**
   * Rejects with UnusualAnswer, with BlockFault, with what {@link Connection.destroy} was given, else with the failure of the connection. A body longer than
   * `into`, or than what drains it takes, ends the connection and is answered with the bytes the answer announced.
   */
  exchange(request: WireRequest): Promise<RawAnswer>;
  /** Whether it may carry another request. */
  isUsable(): boolean;
  /** Whether a byte of the present or last exchange's answer came. */
  answerBegan(): boolean;
  destroy(error: Error): void;
  /** A process may end while it rests. */
  rest(): void;
  wake(): void;
}
