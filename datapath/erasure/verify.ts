/**
 * Reads an object's placement back: every shard, every cell, parity against data, the whole against its digest, and the manifest's copies. What the
 * drain asks before it lets go of the source.
 */
import { type CodecPool, sharedCodecPool } from './codec-pool.ts';
import type { FindingLog } from './findings.ts';
import { DATA_SHARDS, MANIFEST_COPIES, TOTAL_SHARDS } from './layout.ts';
import { type ErasureManifest, missingShards } from './manifest.ts';
import { electorsFor, surveyManifests } from './manifest-copies.ts';
import { defaultPatience } from './patience.ts';
import { openErasureObject, type ReadErasureObject } from './reader.ts';
import type { ShardSource } from './shard-source.ts';
import { completeData } from './stripe-reader.ts';
import { type ContentHasher, contentHasher } from './stripe-slabs.ts';

export interface ShardFacts {
  readonly index: number;
  /** Undefined where the shard was never written. */
  readonly rack: string | undefined;
  readonly state: 'sound' | 'rotten' | 'interrupted' | 'lost' | 'unwritten';
  readonly damagedCells: number;
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

export interface VerifyErasureObject extends ReadErasureObject {
  /** Bytes of content verified. */
  readonly onProgress?: ((bytes: number) => void) | undefined;
}

/** Damage is a fact in the answer, not an error. NotFound where there is no such object. */
export async function verifyErasureObject(request: VerifyErasureObject): Promise<ErasureVerification> {
  const { racks, key, signal, codec = sharedCodecPool, patience = defaultPatience, onProgress } = request;
  const { manifest, sources, log } = await openErasureObject(request);
  const hasher = contentHasher();
  let isRestorable = true;
  await Promise.all(sources.map((source) => source.open()));
  for (let stripe = 0; stripe < manifest.stripes; stripe++) {
    signal?.throwIfAborted();
    const cells = await allCells(sources, stripe);
    isRestorable &&= cells.size >= DATA_SHARDS;
    if (!isRestorable) continue;
    const data = await completeData(cells, manifest.cellBytes, codec);
    const done = hashStripe(hasher, data, stripe, manifest);
    await checkParity(data, cells, stripe, manifest, log, codec);
    onProgress?.(done);
  }
  const digestMatches = isRestorable && hasher.digest().sha256 === manifest.sha256;
  const shards = shardFacts(manifest, log);
  const copies = await surveyManifests(electorsFor(key, racks), key, { patience, signal });
  const manifestCopies = copies.filter((copy) => copy.state === 'present' && copy.manifest.writeId === manifest.writeId).length;
  const allPlacedSound = shards.every(({ state }) => state === 'sound' || state === 'unwritten');
  return {
    manifest,
    digestMatches,
    manifestCopies,
    shards,
    ok: digestMatches && allPlacedSound && manifestCopies >= MANIFEST_COPIES,
    margin: shards.filter(({ state }) => state === 'sound').length - DATA_SHARDS,
  };
}

async function allCells(sources: readonly ShardSource[], stripe: number): Promise<Map<number, Buffer>> {
  const cells = new Map<number, Buffer>();
  await Promise.all(
    sources.map(async (source) => {
      const cell = source.isLost() ? undefined : await source.cell(stripe);
      if (cell) cells.set(source.index, cell);
    }),
  );
  return cells;
}

/** @returns bytes of content hashed so far */
function hashStripe(hasher: ContentHasher, data: readonly Buffer[], stripe: number, manifest: ErasureManifest): number {
  let position = stripe * DATA_SHARDS * manifest.cellBytes;
  for (const cell of data) {
    const piece = cell.subarray(0, Math.max(0, manifest.bytes - position));
    hasher.update(piece);
    position += piece.length;
  }
  return position;
}

/** A parity cell with a right CRC32C may still be wrong, were memory bad when it was made: it would be noticed only in need. */
async function checkParity(
  data: readonly Buffer[],
  cells: ReadonlyMap<number, Buffer>,
  stripe: number,
  manifest: ErasureManifest,
  log: FindingLog,
  codec: CodecPool,
): Promise<void> {
  const { cellBytes } = manifest;
  const slab = Buffer.allocUnsafeSlow(TOTAL_SHARDS * cellBytes);
  for (const [index, cell] of data.entries()) cell.copy(slab, index * cellBytes);
  const coded = await codec.run({ kind: 'encode', slab: slab.buffer, cellBytes });
  for (const { index, rack } of manifest.shards) {
    const read = cells.get(index);
    if (index < DATA_SHARDS || !read || read.equals(new Uint8Array(coded.slab, index * cellBytes, cellBytes))) continue;
    log.record({ rack, index, kind: 'rotten', firstStripe: stripe, message: `parity cell ${stripe} does not belong to its data` });
  }
}

/** The gravest finding decides. */
function shardFacts(manifest: ErasureManifest, log: FindingLog): ShardFacts[] {
  const placed = manifest.shards.map(({ index, rack }): ShardFacts => {
    const found = log.findings.filter((finding) => finding.index === index);
    const gravest = found.find(({ kind }) => kind === 'lost') ?? found.find(({ kind }) => kind === 'rotten') ?? found[0];
    return { index, rack, state: gravest?.kind ?? 'sound', damagedCells: found.reduce((sum, { cells }) => sum + cells, 0), message: gravest?.message };
  });
  const unwritten = missingShards(manifest).map(
    (index): ShardFacts => ({ index, rack: undefined, state: 'unwritten', damagedCells: 0, message: 'it awaits repair' }),
  );
  return [...placed, ...unwritten].sort((a, b) => a.index - b.index);
}
