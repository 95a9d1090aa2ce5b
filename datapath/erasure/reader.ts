/** Reads an object back from any 14 of its shards, every cell checked, and the whole against its digest before the stream ends well. */
import { Readable } from 'node:stream';
import type { RackStore } from '../../drivers/rack-store/port.ts';
import { PenstockError } from '../../model/errors.ts';
import { type CodecPool, sharedCodecPool } from './codec-pool.ts';
import { createFindingLog, type Finding, type FindingLog } from './findings.ts';
import { crc32cText } from './format.ts';
import { checkKey, DATA_SHARDS } from './layout.ts';
import type { ErasureManifest } from './manifest.ts';
import { findManifest } from './manifest-copies.ts';
import { defaultPatience, type Patience } from './patience.ts';
import { type ShardSource, shardSource } from './shard-source.ts';
import { type StripeReader, stripeReader } from './stripe-reader.ts';
import { contentHasher } from './stripe-slabs.ts';

export interface ReadErasureObject {
  readonly racks: readonly RackStore[];
  readonly key: string;
  readonly signal?: AbortSignal | undefined;
  readonly codec?: CodecPool | undefined;
  readonly patience?: Patience | undefined;
}

export interface ReadingErasureObject {
  readonly manifest: ErasureManifest;
  /** Ends only after all bytes were given and their SHA-256 is the manifest's; NotEnoughShards or CorruptSource otherwise. Memory: two stripes. */
  readonly content: Readable;
  /** What was found wrong so far; complete when the content has ended. Not empty: repair is due. */
  readonly findings: readonly Finding[];
}

/** NotFound where there is no such object. NotEnoughShards at once where fewer than 14 shards can be opened. */
export async function readErasureObject(request: ReadErasureObject): Promise<ReadingErasureObject> {
  const { manifest, sources, log } = await openErasureObject(request);
  await openEnough(sources);
  const reader = stripeReader(manifest, sources, log, request.codec ?? sharedCodecPool);
  if (sources.filter((source) => !source.isLost()).length < DATA_SHARDS) await reader.dataCells(0);
  const content = Readable.from(checkedContent(manifest, reader), { objectMode: false, highWaterMark: manifest.cellBytes });
  return { manifest, content, findings: log.findings };
}

/** The manifest and a source for each shard it places, in order of index. */
export async function openErasureObject({
  racks,
  key,
  signal,
  patience = defaultPatience,
}: ReadErasureObject): Promise<{ manifest: ErasureManifest; sources: ShardSource[]; log: FindingLog }> {
  checkKey(key);
  const found = await findManifest(racks, key, { patience, signal });
  if (!found) throw new PenstockError('NotFound', `the erasure set has no object ${JSON.stringify(key)}.`);
  const { manifest } = found;
  const log = createFindingLog();
  const sources = [...manifest.shards]
    .sort((a, b) => a.index - b.index)
    .map(({ index, rack: rackId }) => shardSource({ manifest, index, rackId, rack: racks.find(({ id }) => id === rackId), log, patience, signal }));
  return { manifest, sources, log };
}

/** Opens the first fourteen, and others for those that turn out lost. */
async function openEnough(sources: readonly ShardSource[]): Promise<void> {
  for (;;) {
    const wanted = sources.filter((source) => !source.isLost()).slice(0, DATA_SHARDS);
    await Promise.all(wanted.map((source) => source.open()));
    if (wanted.length < DATA_SHARDS || wanted.every((source) => !source.isLost())) return;
  }
}

async function* checkedContent(manifest: ErasureManifest, reader: StripeReader): AsyncGenerator<Buffer> {
  const hasher = contentHasher();
  for await (const piece of pieces(manifest, reader)) {
    hasher.update(piece);
    yield piece;
  }
  const digest = hasher.digest();
  if (digest.sha256 !== manifest.sha256 || crc32cText(digest.crc32c) !== manifest.crc32c) {
    throw new PenstockError('CorruptSource', `${JSON.stringify(manifest.key)} reads as SHA-256 ${digest.sha256}, but was written as ${manifest.sha256}.`);
  }
}

/** Cell by cell, the last one cut to the object's length; the next stripe is fetched while one is given out. */
async function* pieces(manifest: ErasureManifest, reader: StripeReader): AsyncGenerator<Buffer> {
  let left = manifest.bytes;
  let coming = fetchStripe(0);
  for (let stripe = 0; stripe < manifest.stripes; stripe++) {
    const cells = await coming;
    coming = fetchStripe(stripe + 1);
    for (const cell of cells) {
      if (left === 0) break;
      const piece = left < cell.length ? cell.subarray(0, left) : cell;
      left -= piece.length;
      yield piece;
    }
  }

  function fetchStripe(stripe: number): Promise<Buffer[]> {
    const fetched = stripe < manifest.stripes ? reader.dataCells(stripe) : Promise.resolve([]);
    // Its failure is reported by the await, if it comes to that.
    fetched.catch(() => undefined);
    return fetched;
  }
}
