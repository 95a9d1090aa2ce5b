/**
 * Stripes from whatever shards are sound. The data shards that are wanted are asked first, for then nothing has to be computed; others take the place of each
 * cell that is lost, rotten or late, and whoever comes first wins.
 */
import { PenstockError } from '../../model/errors.ts';
import type { CodecPool } from './codec-pool.ts';
import type { FindingLog } from './findings.ts';
import { lateAfterMilliseconds, usualLatency } from './latency.ts';
import { DATA_SHARDS } from './layout.ts';
import { type ErasureManifest, missingShards } from './manifest.ts';
import type { CellRequest, ShardSource } from './shard-source.ts';
import type { SlabPool } from './slab-pool.ts';

export interface StripeReader {
  /**
   * A slab of the pool with the wanted data cells of the stripe in their places; cells beside them are undefined. NotEnoughShards, naming the racks, where
   * fewer than 14 cells are sound.
   */
  read(stripe: number, wanted: readonly number[]): Promise<ArrayBuffer>;
}

export interface StripeReaderOptions {
  readonly manifest: ErasureManifest;
  readonly sources: readonly ShardSource[];
  readonly log: FindingLog;
  readonly codec: CodecPool;
  readonly slabs: SlabPool;
}

export function stripeReader({ manifest, sources, log, codec, slabs }: StripeReaderOptions): StripeReader {
  const { cellBytes } = manifest;
  return {
    async read(stripe, wanted) {
      const taken = await slabs.take();
      const gathered = gather(taken, stripe, wanted);
      const cells = await gathered.enough.catch((error: unknown) => {
        if (gathered.end()) slabs.give(taken);
        else slabs.forget();
        throw error;
      });
      const slab = gathered.end() ? taken : copyOf(taken, cells);
      return rebuild(slab, stripe, cells, wanted);
    },
  };

  /** Asks until the wanted cells, or any fourteen, are in the slab. */
  function gather(slab: ArrayBuffer, stripe: number, wanted: readonly number[]): { enough: Promise<Set<number>>; end(): boolean } {
    const sound = new Set<number>();
    const late = new Set<number>();
    const underWay = new Map<number, CellRequest>();
    const settling = new Set<Promise<void>>();
    const untried = inOrder(wanted);
    const timers = new Set<NodeJS.Timeout>();
    const { promise: enough, resolve, reject } = Promise.withResolvers<Set<number>>();
    // The wanted themselves are enough; from the first that is lost, fails or is late on, any fourteen are.
    let needed = wanted.every((index) => untried.some((source) => source.index === index)) ? wanted.length : DATA_SHARDS;
    advance();
    return { enough, end };

    function advance(): void {
      if (sound.size >= DATA_SHARDS || wanted.every((index) => sound.has(index))) {
        resolve(sound);
        return;
      }
      while (sound.size + underWay.size - late.size < needed) {
        const next = untried.shift();
        if (!next) break;
        if (next.isLost()) needed = DATA_SHARDS;
        else ask(next);
      }
      // All others were asked: those under way are all that may still come.
      if (sound.size + underWay.size < needed) reject(notEnough(manifest, stripe, sound.size + underWay.size, log));
    }

    function ask(source: ShardSource): void {
      const request = source.cell(stripe, Buffer.from(slab, source.index * cellBytes, cellBytes));
      underWay.set(source.index, request);
      const settled = request.isSettled.then(() => void settling.delete(settled));
      settling.add(settled);
      const timer = setTimeout(() => setImmediate(() => grow(source.index, timer)), lateAfter());
      timers.add(timer);
      request.outcome.then(
        (outcome) => {
          stop(timer);
          if (!underWay.delete(source.index)) return;
          late.delete(source.index);
          if (outcome === 'sound') sound.add(source.index);
          else needed = DATA_SHARDS;
          // Last of all it is asked again, until it counts as lost.
          if (outcome === 'missing') untried.push(source);
          advance();
        },
        (error: unknown) => {
          stop(timer);
          reject(error);
        },
      );
    }

    /** Behind what came in while this process was busy: a late look at the clock makes no late rack. */
    function grow(index: number, timer: NodeJS.Timeout): void {
      if (!timers.has(timer) || !underWay.has(index)) return;
      late.add(index);
      needed = DATA_SHARDS;
      advance();
    }

    function stop(timer: NodeJS.Timeout): void {
      clearTimeout(timer);
      timers.delete(timer);
    }

    /** Calls off what is still under way. @returns whether nobody writes into the slab any more */
    function end(): boolean {
      for (const timer of [...timers]) stop(timer);
      for (const [index, request] of underWay) {
        if (late.has(index)) request.overtake();
        else request.callOff();
      }
      underWay.clear();
      return settling.size === 0;
    }
  }

  /** A slab that a late rack may still write to is left to it, for good; what is sound moves to another one. */
  function copyOf(taken: ArrayBuffer, cells: ReadonlySet<number>): ArrayBuffer {
    slabs.forget();
    const other = slabs.takeExtra();
    for (const index of cells) new Uint8Array(other, index * cellBytes, cellBytes).set(new Uint8Array(taken, index * cellBytes, cellBytes));
    return other;
  }

  async function rebuild(slab: ArrayBuffer, stripe: number, cells: ReadonlySet<number>, wanted: readonly number[]): Promise<ArrayBuffer> {
    const missing = wanted.filter((index) => !cells.has(index));
    if (missing.length === 0) return slab;
    const present = [...cells].sort((a, b) => a - b).slice(0, DATA_SHARDS);
    try {
      const result = await codec.run({ kind: 'reconstruct', slab, cellBytes, present, wanted: missing });
      for (const [position, index] of missing.entries()) checkRebuilt(stripe, index, result.checksums[position]);
      return result.slab;
    } catch (error) {
      slabs.forget();
      throw error;
    }
  }

  /** What a rotten cell should have been is still in its shard's table. */
  function checkRebuilt(stripe: number, index: number, checksum: number | undefined): void {
    const expected = sources.find((source) => source.index === index)?.checksumOf(stripe);
    if (expected === undefined || expected === checksum) return;
    throw new PenstockError(
      'CorruptSource',
      `${JSON.stringify(manifest.key)}: cell ${stripe} of shard ${index} was rebuilt as something else than was written.`,
    );
  }

  function lateAfter(): number {
    return lateAfterMilliseconds(racks(), cellBytes);
  }
  function racks() {
    return sources.flatMap(({ rack }) => rack ?? []);
  }

  /** The wanted first. Of a whole stripe the fastest fourteen: data before parity, but racks that are usually late, or still to be opened, last. */
  function inOrder(wanted: readonly number[]): ShardSource[] {
    const limit = lateAfter();
    const isSlow = ({ rack, isSilent }: ShardSource): boolean => rack !== undefined && (isSilent() || (usualLatency(rack, cellBytes) ?? 0) > limit);
    const isWhole = wanted.length === DATA_SHARDS;
    const rank = (source: ShardSource): number => {
      const burden = (isSlow(source) ? 2 : 0) + (source.isOpen() ? 0 : 1);
      if (isWhole) return burden;
      return wanted.includes(source.index) ? -1 : burden;
    };
    return sources
      .filter((source) => !source.isLost())
      .map((source) => ({ source, rank: rank(source) }))
      .sort((a, b) => a.rank - b.rank || a.source.index - b.source.index)
      .map(({ source }) => source);
  }
}

/** @param left cells that are sound, or are not known to be otherwise */
export function notEnough(manifest: ErasureManifest, stripe: number, left: number, log: FindingLog): PenstockError {
  const reasons = log.findings.map(({ rack, index, kind, message }) => `${rack} (shard ${index} ${kind}: ${message})`);
  const unwritten = missingShards(manifest).map((index) => `shard ${index} was never written`);
  return new PenstockError(
    'NotEnoughShards',
    `${JSON.stringify(manifest.key)} cannot be restored: of stripe ${stripe} at most ${left} cells of the ${DATA_SHARDS} needed are left; ${[...reasons, ...unwritten].join(', ')}.`,
    { nextStep: nextStepFor(DATA_SHARDS - left, log) },
  );
}

const ANOTHER_COPY = 'take it from another copy, such as a replica (`penstock erasure where KEY --in REPLICA`) or its source.';

/** What is rotten or gone on a rack that answers, no rack brings back. */
function nextStepFor(lacking: number, { findings }: FindingLog): string {
  const away = new Set(findings.filter((finding) => finding.kind === 'lost' && finding.away).map(({ index }) => index));
  const isDamaged = findings.some((finding) => finding.kind === 'rotten' || (finding.kind === 'lost' && !finding.away));
  if (away.size < lacking) return `No rack that is away has enough of what is lost or rotten: ${ANOTHER_COPY}`;
  return `Bring back at least ${lacking} of the racks named that do not answer.${isDamaged ? ` Where that is not enough, ${ANOTHER_COPY}` : ''}`;
}
