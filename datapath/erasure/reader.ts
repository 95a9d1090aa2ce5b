/** Reads an object, or a range of it, back from any 14 of its shards, every cell checked, and the whole against its digest before the stream ends well. */
import { Readable } from 'node:stream';
import type { RackStore } from '../../drivers/rack-store/port.ts';
import { isType, PenstockError } from '../../model/errors.ts';
import { type CodecPool, sharedCodecPool } from './codec-pool.ts';
import { createFindingLog, type Finding, type FindingLog } from './findings.ts';
import { checkKey, DATA_SHARDS } from './layout.ts';
import type { ErasureManifest } from './manifest.ts';
import { findManifest, type SurveyOptions, standingOf } from './manifest-copies.ts';
import { openEnough } from './open-shards.ts';
import { defaultPatience, type Patience } from './patience.ts';
import { piecesOf } from './pieces.ts';
import { withLastChance } from './rack-memory.ts';
import { type ShardSource, shardSource } from './shard-source.ts';
import { withUnnamedShards } from './unnamed-shards.ts';

export interface ReadErasureObject {
  readonly racks: readonly RackStore[];
  readonly key: string;
  /** Both ends inclusive; cut off at the object's end. InvalidInput where it begins behind that. */
  readonly range?: ErasureRange | undefined;
  /** As found before, so that many ranges of one object cost one search. */
  readonly manifest?: ErasureManifest | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly codec?: CodecPool | undefined;
  readonly patience?: Patience | undefined;
}
export interface ErasureRange {
  readonly start: number;
  readonly end: number;
}

export interface ReadingErasureObject {
  readonly manifest: ErasureManifest;
  /**
   * Every byte comes from cells whose CRC32C is right. A whole object ends only after its SHA-256 is the manifest's; NotEnoughShards or CorruptSource
   * otherwise. Where shards vanish in the middle, whole stripes that could still be made have been given out, and the stream fails
   * with NotEnoughShards instead of ending: no consumer may take what came before for the object. Memory: four stripes.
   */
  readonly content: Readable;
  /** What was found wrong so far; complete when the content has ended. `lost` and `rotten`: repair is due. */
  readonly findings: readonly Finding[];
}
export interface ReadingErasureBlocks extends Omit<ReadingErasureObject, 'content'> {
  /** The same without a copy and without new memory: a block is free again when the next one is asked for. */
  readonly blocks: AsyncIterable<Buffer>;
}

/**
 * NotFound where there is no such object. NotEnoughShards, naming the racks and why, at once where fewer than 14 shards can be opened, also with those that any rack lists and
 * no manifest names; or, of a range, where its first stripe cannot be made.
 */
export async function readErasureObject(request: ReadErasureObject): Promise<ReadingErasureObject> {
  const { manifest, pieces, findings } = await begin(request, 'keep');
  return { manifest, content: Readable.from(pieces, { objectMode: false, highWaterMark: manifest.cellBytes }), findings };
}

/** As {@link readErasureObject}, for whoever is done with a block before asking for the next. */
export async function readErasureBlocks(request: ReadErasureObject): Promise<ReadingErasureBlocks> {
  const { manifest, pieces, findings } = await begin(request, 'reuse');
  return { manifest, blocks: pieces, findings };
}

async function begin(request: ReadErasureObject, memory: 'keep' | 'reuse') {
  const { racks, patience: given = defaultPatience } = request;
  return await withLastChance(racks, given, (patience) => beginNow({ ...request, patience }, memory));
}

async function beginNow(request: ReadErasureObject, memory: 'keep' | 'reuse') {
  const { racks, patience = defaultPatience, range, signal } = request;
  const opened = await openErasureObject(request, 'last');
  const { manifest, log } = opened;
  if (range) checkRange(range, manifest);
  try {
    return await beginFrom(opened, request, memory);
  } catch (error) {
    if (!isType(error, 'NotEnoughShards')) throw error;
    const sources = await withUnnamedShards(manifest, opened.sources, racks, { patience, signal, log }).catch(() => undefined);
    signal?.throwIfAborted();
    if (!sources) throw error;
    return await beginFrom({ manifest, sources, log }, request, memory);
  }
}

async function beginFrom({ manifest, sources, log }: OpenedErasureObject, request: ReadErasureObject, memory: 'keep' | 'reuse') {
  const { range, codec = sharedCodecPool } = request;
  if (!range) await openEnough(manifest, sources, log);
  const pieces = piecesOf({ manifest, sources, log, codec, memory, range });
  // Of a range, only the shards that it touches are opened: its first stripe tells.
  if (range) await pieces.first();
  return { manifest, pieces: pieces.all(), findings: log.findings };
}

function checkRange({ start, end }: ErasureRange, { bytes, key }: ErasureManifest): void {
  if (Number.isSafeInteger(start) && Number.isSafeInteger(end) && start >= 0 && start <= end && start < bytes) return;
  throw new PenstockError('InvalidInput', `the range ${start} to ${end} of ${JSON.stringify(key)} is none of its ${bytes} bytes.`, {
    nextStep: 'Give the first and the last byte, both inside the object.',
  });
}

/** StoreUnavailable where the shards of the only generation that is seen are gone, and a later one may be known to silent racks. */
async function latestManifest(racks: readonly RackStore[], key: string, options: SurveyOptions): Promise<ErasureManifest | undefined> {
  const found = await findManifest(racks, key, options);
  if (found?.doubt === undefined || (await standingOf(found.manifest, racks, options)).state !== 'dead') return found?.manifest;
  throw new PenstockError(
    'StoreUnavailable',
    `where the shards of ${JSON.stringify(key)} are now is not known, for too many racks did not list their manifests: ${found.doubt}.`,
    { nextStep: 'Try again when they answer.' },
  );
}

export interface OpenedErasureObject {
  readonly manifest: ErasureManifest;
  /** One for each shard that the manifest places, in order of index. */
  readonly sources: readonly ShardSource[];
  readonly log: FindingLog;
}

/** @param silentAre what becomes of shards on racks that are remembered as silent */
export async function openErasureObject(
  { racks, key, manifest: known, signal, patience = defaultPatience }: ReadErasureObject,
  silentAre: 'lost' | 'last',
): Promise<OpenedErasureObject> {
  checkKey(key);
  const manifest = known ?? (await latestManifest(racks, key, { patience, signal, isHasty: true }));
  if (!manifest) throw new PenstockError('NotFound', `the erasure set has no object ${JSON.stringify(key)}.`);
  if (manifest.key !== key) {
    throw new PenstockError('InvalidInput', `the manifest given is that of ${JSON.stringify(manifest.key)} and not of ${JSON.stringify(key)}.`);
  }
  const log = createFindingLog();
  const sources = [...manifest.shards]
    .sort((a, b) => a.index - b.index)
    .map((shard) => shardSource({ manifest, shard, rack: racks.find(({ id }) => id === shard.rack), log, patience, silentAre, signal }));
  if (sources.length < DATA_SHARDS) throw new PenstockError('CorruptSource', `the manifest of ${JSON.stringify(key)} places ${sources.length} shards.`);
  return { manifest, sources, log };
}
