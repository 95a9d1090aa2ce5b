/**
 * One shard on its way to one rack, at the rack's own pace, and read back before it counts. A failure is a state, not an exception, for the
 * others go on.
 */
import type { RackStore, ShardBody } from '../../drivers/rack-store/port.ts';
import { PenstockError } from '../../model/errors.ts';
import { type Patience, within } from './patience.ts';

export interface ShardLane {
  readonly rack: RackStore;
  readonly index: number;
  /** Blocks that the rack is done with: 1 after the header, then one per stripe. */
  passed(): number;
  /** Nothing is left to do for the rack now: it waits for the next block, or its shard is durable and read back. */
  isIdle(): boolean;
  isDone(): boolean;
  /** When the rack last took something, by performance.now(). */
  progressedAt(): number;
  /** There may be another block. */
  wake(): void;
  /** Ends it without a shard. */
  fail(error: Error): void;
  /** The rack touches no block of it any more. */
  readonly hasLetGo: Promise<void>;
}

/** What a lane carries, given by the set. */
export interface LaneCargo {
  readonly key: string;
  readonly bytes: number;
  /** The header, a cell per stripe, table and footer; undefined where it is not there yet. */
  block(number: number): Buffer | undefined;
  readonly blocks: number;
  /** Base64, of the whole shard. */
  crc32c(): string;
}

export interface LaneOptions {
  readonly rack: RackStore;
  readonly index: number;
  readonly cargo: LaneCargo;
  readonly patience: Patience;
  onProgress(lane: ShardLane): void;
  onFailure(lane: ShardLane, error: Error): void;
}

export function openLane({ rack, index, cargo, patience, onProgress, onFailure }: LaneOptions): ShardLane {
  const controller = new AbortController();
  let failure: Error | undefined;
  let given = 0;
  let passed = 0;
  let isDone = false;
  let progressedAt = performance.now();
  let awaited: { resolve(result: IteratorResult<Buffer>): void; reject(error: Error): void } | undefined;

  const iterator: AsyncIterator<Buffer> = {
    next() {
      if (failure) return Promise.reject(failure);
      passed = given;
      const block = draw();
      onProgress(lane);
      if (block) return Promise.resolve(block);
      const { promise, resolve, reject } = Promise.withResolvers<IteratorResult<Buffer>>();
      awaited = { resolve, reject };
      return promise;
    },
    return: () => Promise.resolve({ done: true, value: undefined }),
  };
  const body: ShardBody = { bytes: cargo.bytes, blocks: { [Symbol.asyncIterator]: () => iterator }, crc32c: async () => cargo.crc32c() };
  const writing = new Promise<void>((resolve) => {
    // Behind the assignment of `lane`: a rack may draw at once.
    setImmediate(() => resolve(failure ? Promise.reject(failure) : rack.writeShard(cargo.key, body, { signal: controller.signal })));
  });
  const lane: ShardLane = {
    rack,
    index,
    passed: () => passed,
    isIdle: () => isDone || awaited !== undefined,
    isDone: () => isDone,
    progressedAt: () => progressedAt,
    wake() {
      const waiter = awaited;
      if (!waiter) return;
      const block = draw();
      if (!block) return;
      awaited = undefined;
      waiter.resolve(block);
    },
    fail,
    hasLetGo: writing.catch(() => undefined),
  };
  void follow();
  return lane;

  function draw(): IteratorResult<Buffer> | undefined {
    progressedAt = performance.now();
    if (given === cargo.blocks) return { done: true, value: undefined };
    const value = cargo.block(given);
    if (!value) return undefined;
    given++;
    return { done: false, value };
  }

  async function follow(): Promise<void> {
    try {
      await writing;
      if (failure) return;
      if (given < cargo.blocks) throw new PenstockError('IoError', `the rack ended ${cargo.key} before all of it was sent.`, { store: rack.id });
      passed = given;
      await readBack();
      if (failure) return;
      isDone = true;
      onProgress(lane);
    } catch (error) {
      fail(error instanceof Error ? error : new Error(String(error)));
    }
  }

  /** Its length and its end, byte for byte: racks have acknowledged what they then did not have. */
  async function readBack(): Promise<void> {
    const end = cargo.block(cargo.blocks - 1);
    if (!end) throw new RangeError(`shard ${index} has no end`);
    const found = Buffer.alloc(end.length);
    const read = (signal: AbortSignal) => rack.readInto(cargo.key, found, { start: cargo.bytes - end.length, signal });
    const { totalBytes } = await within(patience.requestMilliseconds, rack.id, 'reading a shard back', read, controller.signal);
    if (totalBytes === cargo.bytes && found.equals(end)) return;
    const what = totalBytes === cargo.bytes ? 'ends otherwise than it was sent' : `has ${totalBytes} of its ${cargo.bytes} bytes`;
    throw new PenstockError('IoError', `the rack took ${cargo.key}, but read back it ${what}.`, { store: rack.id });
  }

  function fail(error: Error): void {
    if (failure || isDone) return;
    failure = error;
    controller.abort(error);
    awaited?.reject(error);
    awaited = undefined;
    onFailure(lane, error);
  }
}
