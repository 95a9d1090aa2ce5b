/** The memory of a checkpoint being written: so many aligned blocks and no more. Whoever waits for one waits for a slow store, which is the back-pressure. */
import { RECORD_BYTES } from './ring-format.ts';

export interface ChunkBlocks {
  /** Waits while all are out. Rejects once it was ended. */
  take(): Promise<Buffer>;
  give(block: Buffer): void;
  /** A store that does not answer may still read from it: another one takes its place. */
  forget(): void;
  /** Whoever waits is told why. */
  end(reason: unknown): void;
}

export function createChunkBlocks(limit: number, allocate: (bytes: number) => Promise<Buffer>): ChunkBlocks {
  const free: Buffer[] = [];
  const waiting: PromiseWithResolvers<Buffer>[] = [];
  let out = 0;
  let ended: { readonly reason: unknown } | undefined;
  const fresh = (): Promise<Buffer> => {
    out += 1;
    const block = free.pop();
    return block ? Promise.resolve(block) : allocate(RECORD_BYTES);
  };
  const serve = (): void => {
    while (out < limit && waiting.length > 0) waiting.shift()?.resolve(fresh());
  };
  return {
    async take() {
      if (ended) throw ended.reason;
      if (out < limit) return await fresh();
      const waiter = Promise.withResolvers<Buffer>();
      waiting.push(waiter);
      return await waiter.promise;
    },
    give(block) {
      out -= 1;
      free.push(block);
      serve();
    },
    forget() {
      out -= 1;
      serve();
    },
    end(reason) {
      ended ??= { reason };
      for (const waiter of waiting.splice(0)) waiter.reject(reason);
    },
  };
}
