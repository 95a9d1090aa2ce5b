/**
 * Reads an object's placement back: every shard, every cell, parity against data, the whole against its digest, and the manifest's copies. What the
 * drain asks before it lets go of the source.
 */
import { type CodecPool, sharedCodecPool } from './codec-pool.ts';
import { createContentHash } from './content-hash.ts';
import type { FindingLog } from './findings.ts';
import { DATA_SHARDS, frameBytes, MANIFEST_COPIES } from './layout.ts';
import { attemptOf, type ErasureManifest, layoutOf, manifestNameOf, missingShards } from './manifest.ts';
import { electorsFor, surveyManifests } from './manifest-copies.ts';
import { defaultPatience } from './patience.ts';
import { withLastChance } from './rack-memory.ts';
import { type OpenedErasureObject, openErasureObject, type ReadErasureObject } from './reader.ts';
import type { ShardSource } from './shard-source.ts';
import { createSlabPool, type SlabPool } from './slab-pool.ts';

export interface ShardFacts {
  readonly index: number;
  /** Undefined where the shard was never written. */
  readonly rack: string | undefined;
  readonly state: 'sound' | 'rotten' | 'interrupted' | 'lost' | 'unwritten';
  readonly damagedCells: number;
  /** Its rack did not answer: whether the shard is there is not known. */
  readonly isUnseen: boolean;
  /** Why it is not sound. */
  readonly message: string | undefined;
}

export interface ErasureVerification {
  readonly manifest: ErasureManifest;
  /** Every placed shard is sound, the content has its digest, and five manifest copies are there. */
  readonly ok: boolean;
  readonly digestMatches: boolean;
  readonly manifestCopies: number;
  readonly shards: readonly ShardFacts[];
  /** Racks that may still be lost: sound shards less 14; negative where the object cannot be restored from sound shards alone. */
  readonly margin: number;
}

/** What may be there all the same: a rack that did not answer, or a cell that did not come in time. */
export const unsureShards = ({ shards }: Pick<ErasureVerification, 'shards'>): ShardFacts[] =>
  shards.filter(({ isUnseen, state }) => isUnseen || state === 'interrupted');

export interface VerifyErasureObject extends Omit<ReadErasureObject, 'range'> {
  /** Bytes of content verified. */
  readonly onProgress?: ((bytes: number) => void) | undefined;
  /** Awaited before so many bytes are read from racks. */
  readonly pace?: ((bytes: number) => Promise<void>) | undefined;
}

/** Damage is a fact in the answer, not an error. NotFound where there is no such object. Memory: one stripe, and one for each that a silent rack holds. */
export async function verifyErasureObject(request: VerifyErasureObject): Promise<ErasureVerification> {
  const { racks, key, signal, codec = sharedCodecPool, patience = defaultPatience, onProgress, pace } = request;
  const { manifest, sources, log } = await withLastChance(
    racks,
    patience,
    (believing) => openAll({ ...request, patience: believing }),
    (opened) => opened.sources.filter((source) => source.isOpen()).length >= DATA_SHARDS,
  );
  const slabs = createSlabPool(manifest.cellBytes, 1);
  const hash = createContentHash(manifest.bytes);
  let isRestorable = true;
  try {
    for (let stripe = 0; stripe < manifest.stripes; stripe++) {
      signal?.throwIfAborted();
      await pace?.(sources.length * manifest.cellBytes);
      const { slab, present } = await allCells(sources, stripe, manifest, slabs);
      isRestorable &&= present.size >= DATA_SHARDS;
      slabs.give(isRestorable ? await checkStripe(slab, present, stripe) : slab);
      if (isRestorable) onProgress?.(Math.min(manifest.bytes, (stripe + 1) * DATA_SHARDS * manifest.cellBytes));
    }
    const digestMatches = isRestorable && (await hash.digest()) === manifest.sha256;
    const shards = shardFacts(manifest, log);
    const copies = await surveyManifests(electorsFor(key, racks), manifestNameOf(manifest), { patience, signal });
    const manifestCopies = copies.filter((copy) => copy.state === 'present' && attemptOf(copy.manifest) === attemptOf(manifest)).length;
    const allPlacedSound = shards.every(({ state }) => state === 'sound' || state === 'unwritten');
    return {
      manifest,
      digestMatches,
      manifestCopies,
      shards,
      ok: digestMatches && allPlacedSound && manifestCopies >= MANIFEST_COPIES,
      margin: shards.filter(({ state }) => state === 'sound').length - DATA_SHARDS,
    };
  } finally {
    hash.drop();
  }

  /** @returns the slab, moved through the threads */
  async function checkStripe(slab: ArrayBuffer, present: ReadonlySet<number>, stripe: number): Promise<ArrayBuffer> {
    const { bytes, cellBytes } = manifest;
    const parities = new Map([...present].filter((index) => index >= DATA_SHARDS).map((index) => [index, Buffer.from(cellOf(slab, index, cellBytes))]));
    const whole = await completeData(slab, present, cellBytes, codec);
    const hashed = await hash.update(whole, Math.min(DATA_SHARDS * cellBytes, bytes - stripe * DATA_SHARDS * cellBytes));
    const coded = await codec.run({ kind: 'encode', slab: hashed, cellBytes });
    // A parity cell with a right CRC32C may still be wrong, were memory bad when it was made: it would be noticed only in need.
    for (const { index, rack } of manifest.shards) {
      if (parities.get(index)?.equals(cellOf(coded.slab, index, cellBytes)) ?? true) continue;
      log.record({ rack, index, kind: 'rotten', firstStripe: stripe, message: `parity cell ${stripe} does not belong to its data` });
    }
    return coded.slab;
  }
}

/** Shards on racks that are remembered as silent are lost, as they would be after each had been waited for. */
async function openAll(request: VerifyErasureObject): Promise<OpenedErasureObject> {
  const opened = await openErasureObject(request, 'lost');
  // Of a small object it is nearly all that is read.
  await request.pace?.(opened.sources.length * frameBytes(layoutOf(opened.manifest)));
  await Promise.all(opened.sources.map((source) => source.open()));
  return opened;
}

async function allCells(sources: readonly ShardSource[], stripe: number, { cellBytes }: ErasureManifest, slabs: SlabPool) {
  const slab = await slabs.take();
  const present = new Set<number>();
  const settling = new Set<Promise<void>>();
  await Promise.all(
    sources.map(async (source) => {
      if (source.isLost()) return;
      const { isSettled, outcome } = source.cell(stripe, Buffer.from(slab, source.index * cellBytes, cellBytes));
      const settled = isSettled.then(() => void settling.delete(settled));
      settling.add(settled);
      if ((await outcome) === 'sound') present.add(source.index);
    }),
  );
  // What has come has settled a moment ago.
  await new Promise((resolve) => setImmediate(resolve));
  if (settling.size === 0) return { slab, present };
  // It is left to the silent rack, for good.
  slabs.forget();
  const other = slabs.takeExtra();
  for (const index of present) cellOf(other, index, cellBytes).set(cellOf(slab, index, cellBytes));
  return { slab: other, present };
}

/** The missing data cells rebuilt from any 14. */
async function completeData(slab: ArrayBuffer, present: ReadonlySet<number>, cellBytes: number, codec: CodecPool): Promise<ArrayBuffer> {
  const wanted = Array.from({ length: DATA_SHARDS }, (_, index) => index).filter((index) => !present.has(index));
  if (wanted.length === 0) return slab;
  const used = [...present].sort((a, b) => a - b).slice(0, DATA_SHARDS);
  return (await codec.run({ kind: 'reconstruct', slab, cellBytes, present: used, wanted })).slab;
}

const cellOf = (slab: ArrayBuffer, index: number, cellBytes: number): Uint8Array => new Uint8Array(slab, index * cellBytes, cellBytes);

/** The gravest finding decides. */
function shardFacts(manifest: ErasureManifest, log: FindingLog): ShardFacts[] {
  const placed = manifest.shards.map(({ index, rack }): ShardFacts => {
    const found = log.findings.filter((finding) => finding.index === index);
    const gravest = (['lost', 'rotten', 'interrupted'] as const).flatMap((kind) => found.find((finding) => finding.kind === kind) ?? [])[0];
    const state = gravest === undefined || gravest.kind === 'late' ? 'sound' : gravest.kind;
    return {
      index,
      rack,
      state,
      damagedCells: found.reduce((sum, { cells }) => sum + cells, 0),
      isUnseen: gravest?.away === 'silent',
      message: gravest?.message,
    };
  });
  const unwritten = missingShards(manifest).map(
    (index): ShardFacts => ({ index, rack: undefined, state: 'unwritten', damagedCells: 0, isUnseen: false, message: 'it awaits repair' }),
  );
  return [...placed, ...unwritten].sort((a, b) => a.index - b.index);
}
