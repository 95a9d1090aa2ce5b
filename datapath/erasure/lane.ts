/** One shard on its way to one rack: bytes go in with back-pressure, and a failure is a state, not an exception, for the others go on. */
import { Readable } from 'node:stream';
import type { RackStore } from '../../drivers/rack-store/port.ts';
import { PenstockError } from '../../model/errors.ts';
import { atMost } from './patience.ts';

export interface ShardLane {
  readonly rack: RackStore;
  /** Undefined while all is well. */
  failure(): Error | undefined;
  /** Resolves when there is room for more, or when the lane has failed. */
  push(chunk: Buffer): Promise<void>;
  /** Resolves when the shard is durable under its name, or when the lane has failed. */
  finish(): Promise<void>;
  /** Ends it without a shard. Resolves when the rack has let go of it, or after a second: cancelling must not wait for a silent rack. */
  abandon(reason: Error): Promise<void>;
}

export interface LaneOptions {
  readonly rack: RackStore;
  readonly key: string;
  readonly bytes: number;
  /** What the lane holds ahead of the rack. */
  readonly bufferBytes: number;
  readonly stallMilliseconds: number;
}

const LET_GO_MILLISECONDS = 1_000;

export function openLane({ rack, key, bytes, bufferBytes, stallMilliseconds }: LaneOptions): ShardLane {
  const controller = new AbortController();
  let failure: Error | undefined;
  let ended = false;
  let wake: (() => void) | undefined;
  const failed = Promise.withResolvers<void>();
  const content = new Readable({ highWaterMark: bufferBytes, read: () => wake?.() });
  content.on('error', fail);
  const settled = write();

  return {
    rack,
    failure: () => failure,
    async push(chunk) {
      if (failure || content.push(chunk)) return;
      await patiently(
        new Promise((resolve) => {
          wake = resolve;
        }),
      );
    },
    async finish() {
      if (failure) return;
      ended = true;
      content.push(null);
      await patiently(settled);
    },
    async abandon(reason) {
      fail(reason);
      await atMost(LET_GO_MILLISECONDS, settled);
    },
  };

  async function write(): Promise<void> {
    try {
      await rack.writeShard(key, content, { bytes, signal: controller.signal });
      if (!ended) throw new PenstockError('IoError', `the rack ended ${key} before all of it was sent.`, { store: rack.id });
    } catch (error) {
      fail(error instanceof Error ? error : new Error(String(error)));
    }
  }

  function fail(error: Error): void {
    if (failure) return;
    failure = error;
    controller.abort(error);
    content.destroy();
    failed.resolve();
  }

  async function patiently(wait: Promise<void>): Promise<void> {
    const timer = setTimeout(() => {
      fail(new PenstockError('StoreUnavailable', `the rack took nothing for ${stallMilliseconds / 1000} s.`, { store: rack.id }));
    }, stallMilliseconds);
    await Promise.race([wait, failed.promise]);
    clearTimeout(timer);
  }
}
