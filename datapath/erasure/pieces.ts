/** The content of an object or a range, stripe by stripe: the next ones are fetched while one is given out. */
import { PenstockError } from '../../model/errors.ts';
import type { CodecPool } from './codec-pool.ts';
import { createContentHash } from './content-hash.ts';
import type { FindingLog } from './findings.ts';
import { DATA_SHARDS } from './layout.ts';
import type { ErasureManifest } from './manifest.ts';
import type { ErasureRange } from './reader.ts';
import type { ShardSource } from './shard-source.ts';
import { createSlabPool } from './slab-pool.ts';
import { stripeReader } from './stripe-reader.ts';

export interface Pieces {
  /** Resolves when the first stripe is there; what it rejects with, the content would too. */
  first(): Promise<void>;
  /** Once. */
  all(): AsyncGenerator<Buffer>;
}

export interface PiecesOptions {
  readonly manifest: ErasureManifest;
  readonly sources: readonly ShardSource[];
  readonly log: FindingLog;
  readonly codec: CodecPool;
  /** keep: what is given out is the consumer's. reuse: until it asks for the next. */
  readonly memory: 'keep' | 'reuse';
  /** Undefined: all of it, held against its SHA-256. */
  readonly range: ErasureRange | undefined;
}

/** Stripes fetched, rebuilt or hashed while one is given out. */
const AHEAD = 2;
/** Those, the one given out, and one that takes the place of a slab which a late rack still holds. */
const SLABS = AHEAD + 2;

export function piecesOf({ manifest, sources, log, codec, memory, range }: PiecesOptions): Pieces {
  const { bytes, cellBytes, stripes } = manifest;
  const stripeBytes = DATA_SHARDS * cellBytes;
  const slabs = createSlabPool(cellBytes, SLABS);
  const reader = stripeReader({ manifest, sources, log, codec, slabs });
  const hash = range ? undefined : createContentHash(bytes);
  const start = range?.start ?? 0;
  const end = Math.min(range ? range.end + 1 : bytes, bytes);
  const firstStripe = Math.floor(start / stripeBytes);
  const endStripe = Math.min(stripes, Math.ceil(end / stripeBytes));
  const coming: Promise<ArrayBuffer>[] = [];
  let asked = firstStripe;
  let hashed: Promise<unknown> = Promise.resolve();

  return {
    async first() {
      fetchAhead();
      await coming[0];
    },

    async *all() {
      try {
        fetchAhead();
        for (let stripe = firstStripe; stripe < endStripe; stripe++) {
          const slab = await coming.shift();
          if (!slab) throw new RangeError(`stripe ${stripe} was not fetched`);
          // Given away, it is not this reader's to count any more.
          if (memory === 'keep') slabs.forget();
          fetchAhead();
          yield* cellsOf(slab, stripe);
          if (memory === 'reuse') slabs.give(slab);
          fetchAhead();
        }
        await checkWhole();
      } finally {
        hash?.drop();
      }
    },
  };

  function fetchAhead(): void {
    while (coming.length < AHEAD && asked < endStripe) {
      const fetched = fetchStripe(asked++);
      // Its failure is reported by the await, if it comes to that.
      fetched.catch(() => undefined);
      coming.push(fetched);
    }
  }

  async function fetchStripe(stripe: number): Promise<ArrayBuffer> {
    const [from, to] = within(stripe);
    const wanted = Array.from({ length: Math.ceil(to / cellBytes) - Math.floor(from / cellBytes) }, (_, index) => Math.floor(from / cellBytes) + index);
    // Of a whole object the filling too, for it is checked like the rest.
    const read = reader.read(stripe, range ? wanted : ALL_DATA);
    if (!hash) return read;
    const before = hashed;
    const update = (async () => {
      const slab = await read;
      await before;
      return hash.update(slab, to);
    })();
    hashed = update;
    return update;
  }

  /** First byte and end of what is wanted of a stripe. */
  function within(stripe: number): readonly [number, number] {
    const position = stripe * stripeBytes;
    return [Math.max(0, start - position), Math.min(stripeBytes, end - position)];
  }

  function* cellsOf(slab: ArrayBuffer, stripe: number): Generator<Buffer> {
    const [from, to] = within(stripe);
    for (let at = from; at < to; ) {
      const next = Math.min(to, (Math.floor(at / cellBytes) + 1) * cellBytes);
      yield Buffer.from(slab, at, next - at);
      at = next;
    }
  }

  async function checkWhole(): Promise<void> {
    if (!hash) return;
    const digest = await hash.digest();
    if (digest === manifest.sha256) return;
    throw new PenstockError('CorruptSource', `${JSON.stringify(manifest.key)} reads as SHA-256 ${digest}, but was written as ${manifest.sha256}.`);
  }
}

const ALL_DATA = Array.from({ length: DATA_SHARDS }, (_, index) => index);
