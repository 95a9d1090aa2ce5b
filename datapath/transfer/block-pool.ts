/**
 * The memory of transfers: buffers in powers of two from 4 KiB to a span, lent and given back, never more than the budget in all. Whoever comes when nothing is free waits
 * in line, which is the back-pressure between reading and writing.
 */
import { allocateAlignedNow, findAddressOf, PAGE_BYTES } from '../native/aligned.ts';
import { SPAN_BYTES } from './endpoint.ts';

export interface Lease {
  /** Of exactly the asked size, at the begin of a page; what it holds before it is filled is somebody else's. */
  readonly buffer: Buffer;
  release(): void;
}
export interface BlockPool {
  /** 0 to {@link SPAN_BYTES}. Rejects with the signal's reason. */
  borrow(bytes: number, signal?: AbortSignal): Promise<Lease>;
}

const SMALLEST_BYTES = 4096;

interface Waiter {
  readonly bytes: number;
  readonly serve: (lease: Lease) => void;
}

/** @param budgetBytes at least one span */
export function createBlockPool(budgetBytes: number): BlockPool {
  const free = new Map<number, Buffer[]>();
  const waiting = new Set<Waiter>();
  let heldBytes = 0; // lent and free together
  let isReady = false;

  const take = (bytes: number): Lease | undefined => {
    const size = sizeClass(bytes);
    const buffer = free.get(size)?.pop() ?? allocate(size);
    return buffer && lend(buffer, bytes);
  };
  const allocate = (size: number): Buffer | undefined => {
    for (const buffers of free.values()) {
      while (heldBytes + size > budgetBytes && buffers.length > 0) heldBytes -= buffers.pop()?.length ?? 0;
    }
    if (heldBytes + size > budgetBytes) return undefined;
    heldBytes += size;
    return allocateAlignedNow(size, PAGE_BYTES);
  };
  const lend = (whole: Buffer, bytes: number): Lease => {
    let isLent = true;
    return {
      buffer: whole.subarray(0, bytes),
      release() {
        if (!isLent) return;
        isLent = false;
        const buffers = free.get(whole.length);
        if (buffers) buffers.push(whole);
        else free.set(whole.length, [whole]);
        serveWaiting();
      },
    };
  };
  const serveWaiting = (): void => {
    for (const waiter of waiting) {
      const lease = take(waiter.bytes);
      // In line: a large wish is not overtaken by small ones for ever.
      if (!lease) return;
      waiting.delete(waiter);
      waiter.serve(lease);
    }
  };

  return {
    async borrow(bytes, signal) {
      if (!isReady) {
        await findAddressOf();
        isReady = true;
      }
      if (bytes > SPAN_BYTES) throw new RangeError(`a buffer has at most ${SPAN_BYTES} bytes, not ${bytes}`);
      const lease = waiting.size === 0 ? take(bytes) : undefined;
      if (lease) return lease;
      return await new Promise((resolve, reject) => {
        const giveUp = () => {
          waiting.delete(waiter);
          reject(signal?.reason instanceof Error ? signal.reason : new DOMException('The transfer was cancelled.', 'AbortError'));
          serveWaiting();
        };
        const waiter: Waiter = {
          bytes,
          serve(served) {
            signal?.removeEventListener('abort', giveUp);
            resolve(served);
          },
        };
        if (signal?.aborted) return giveUp();
        signal?.addEventListener('abort', giveUp, { once: true });
        waiting.add(waiter);
      });
    },
  };
}

function sizeClass(bytes: number): number {
  let size = SMALLEST_BYTES;
  while (size < bytes) size *= 2;
  return size;
}
