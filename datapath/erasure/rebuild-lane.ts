/** A rebuilt shard on its way to one rack. A failure is a state, not an exception, for the other shards go on. */
import type { RackStore } from '../../drivers/rack-store/port.ts';
import { PenstockError } from '../../model/errors.ts';
import { atMost, type Patience } from './patience.ts';
import { askingAnyway, askRack } from './rack-memory.ts';

export interface RebuildLane {
  readonly rack: RackStore;
  /** Undefined while all is well. */
  failure(): unknown;
  /** Resolves when the rack is done with the chunk, or the lane has failed: its memory is the caller's again. */
  push(chunk: Buffer): Promise<void>;
  /** Resolves when the shard is durable under its name, or the lane has failed. */
  finish(): Promise<void>;
  /** Ends it without a shard. */
  abandon(reason: unknown): Promise<void>;
}

interface Offer {
  readonly chunk: Buffer;
  readonly taken: () => void;
}

const LET_GO_MILLISECONDS = 1_000;

export function openRebuildLane(rack: RackStore, name: string, bytes: number, patience: Patience): RebuildLane {
  const controller = new AbortController();
  let failure: unknown;
  let offered: Offer | undefined;
  let isEnded = false;
  let wake: () => void = () => undefined;
  const failed = Promise.withResolvers<void>();
  const settled = write();

  return {
    rack,
    failure: () => failure,
    push: (chunk) =>
      patiently(
        new Promise((taken) => {
          offered = { chunk, taken };
          wake();
        }),
      ),
    async finish() {
      isEnded = true;
      wake();
      await patiently(settled);
    },
    async abandon(reason) {
      fail(reason);
      await atMost(LET_GO_MILLISECONDS, settled);
    },
  };

  async function* blocks(): AsyncGenerator<Buffer> {
    for (;;) {
      while (!offered && !isEnded) {
        controller.signal.throwIfAborted();
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      const current = offered;
      if (!current) return;
      offered = undefined;
      yield current.chunk;
      current.taken();
    }
  }

  async function write(): Promise<void> {
    try {
      await rack.writeShard(name, { bytes, blocks: blocks() }, { signal: controller.signal });
      if (!isEnded) throw new PenstockError('IoError', `the rack ended ${name} before all of it was sent.`, { store: rack.id });
    } catch (error) {
      fail(error);
    }
  }

  function fail(error: unknown): void {
    if (failure !== undefined) return;
    failure = error ?? new Error('abandoned');
    controller.abort(failure);
    wake();
    failed.resolve();
  }

  async function patiently(wait: Promise<void>): Promise<void> {
    if (failure !== undefined) return;
    try {
      // It was chosen because it answers; what it does from here on is remembered.
      const asking = { patience: askingAnyway(patience) };
      await askRack(rack, 'writing a shard', asking, () => Promise.race([wait, failed.promise]), patience.stallMilliseconds);
    } catch (error) {
      fail(error);
    }
  }
}
