/** Memory that one run has after the other: the blocks of hundreds of runs, some 60 MiB each, would else cost more to give back than what is done with them. */
import { allocateAligned } from '../../datapath/native/aligned.ts';

export interface MemoryPool {
  /** Aligned to a page; holds what the run before has left in it. */
  allocate(bytes: number): Promise<Buffer>;
  /** All of it is free again. Nobody may fill any of it from now on. */
  reset(): void;
}

const PAGE_BYTES = 4096;
/** Less is not worth keeping. */
const POOLED_BYTES = 2 ** 20;

export function createMemoryPool(): MemoryPool {
  const free: Buffer[] = [];
  const given: Buffer[] = [];
  return {
    async allocate(bytes) {
      if (bytes < POOLED_BYTES) return await allocateAligned(bytes, PAGE_BYTES);
      const index = free.findIndex(({ length }) => length === bytes);
      const [block] = index < 0 ? [await allocateAligned(bytes, PAGE_BYTES)] : free.splice(index, 1);
      if (!block) throw new RangeError('a block that was found is there');
      given.push(block);
      return block;
    },
    reset() {
      free.push(...given.splice(0));
    },
  };
}
