/**
 * A bounded number of slabs for one object under way: each holds a stripe's 18 cells. Reused, for new memory of that size costs more than a copy. A slab
 * goes to threads and comes back as another object of the same memory, so what is given back need not be what was taken.
 */
import { TOTAL_SHARDS } from './layout.ts';

export interface SlabPool {
  /** Waits while all are out. */
  take(): Promise<ArrayBuffer>;
  /** At once: for what replaces one that a silent rack may still write to, and that was forgotten. */
  takeExtra(): ArrayBuffer;
  give(slab: ArrayBuffer): void;
  /** It will not come back: its memory is somebody else's. */
  forget(): void;
  /** Whether somebody waits for one. */
  isShort(): boolean;
}

export function createSlabPool(cellBytes: number, limit: number, onShort: () => void = () => undefined): SlabPool {
  const free: ArrayBuffer[] = [];
  const waiting: ((slab: ArrayBuffer) => void)[] = [];
  let out = 0;
  const takeExtra = (): ArrayBuffer => {
    out++;
    return free.pop() ?? atPage(TOTAL_SHARDS * cellBytes);
  };
  const serve = (): void => {
    while (out < limit) {
      const next = waiting.shift();
      if (!next) return;
      next(takeExtra());
    }
  };
  return {
    take() {
      if (out < limit) return Promise.resolve(takeExtra());
      const { promise, resolve } = Promise.withResolvers<ArrayBuffer>();
      waiting.push(resolve);
      onShort();
      return promise;
    },
    takeExtra,
    give(slab) {
      out--;
      if (out + free.length < limit) free.push(slab);
      serve();
    },
    forget() {
      out--;
      serve();
    },
    isShort: () => waiting.length > 0,
  };
}

/** Of less, a mapping of its own costs more than the copying. */
const WORTH_PAGES_BYTES = 2 ** 20;

/**
 * V8 gives memory that may change its size whole pages; any other begins 16 bytes behind one, where the kernel copies slowly (datapath/native/aligned.ts). An ArrayBuffer, unlike a
 * view into one, can go to a thread by itself.
 */
const atPage = (bytes: number): ArrayBuffer =>
  bytes < WORTH_PAGES_BYTES ? Buffer.allocUnsafeSlow(bytes).buffer : new ArrayBuffer(bytes, { maxByteLength: bytes });
