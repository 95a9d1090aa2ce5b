/**
 * Writes an object: shards first, each read back, then the commit. Memory: five slabs of 18 MiB at most, whatever the object's size, and 4 bytes per cell for
 * the tables.
 */

import { Readable } from 'node:stream';
import type { RackStore } from '../../drivers/rack-store/port.ts';
import { PenstockError } from '../../model/errors.ts';
import { type CodecPool, sharedCodecPool } from './codec-pool.ts';
import { CommitInDoubt, type CommitResult, commitManifest } from './commit.ts';
import { createContentHash } from './content-hash.ts';
import { contentSource, destroyContent, type ErasureContent } from './content-source.ts';
import { type ContentDigest, crc32cText, type ObjectIdentity } from './format.ts';
import { type LaneFault, type LaneSet, openLanes, type PlacedShard } from './lanes.ts';
import { checkKey, checkWriteId, DATA_SHARDS, layoutFor, MAX_CELL_BYTES, PARITY_SHARDS, shardKey } from './layout.ts';
import { placeOnLiveRacks } from './live-racks.ts';
import { type ErasureManifest, missingShards, sameContent } from './manifest.ts';
import { findManifest, type SurveyOptions, standingOf } from './manifest-copies.ts';
import { defaultPatience, type Patience } from './patience.ts';
import { askRack } from './rack-memory.ts';
import { createShardParts, type ShardParts } from './shard-parts.ts';
import { streamShards } from './shard-stream.ts';

export interface WriteErasureObject {
  readonly racks: readonly RackStore[];
  readonly key: string;
  /** A stream is consumed, and destroyed on failure. What can be read at any position is read straight into place, and stays open. */
  readonly content: ErasureContent;
  /** The content's exact length; SourceChanged where it is another. */
  readonly bytes: number;
  /** Base64, where it is known: ChecksumMismatch, and nothing is left, where the content has another. */
  readonly crc32c?: string | undefined;
  /** Fresh for each attempt: newWriteId(). */
  readonly writeId: string;
  readonly signal?: AbortSignal | undefined;
  /** Bytes of content that a quorum of racks has taken. */
  readonly onProgress?: ((bytes: number) => void) | undefined;
  readonly codec?: CodecPool | undefined;
  readonly patience?: Patience | undefined;
}

export interface WrittenErasureObject {
  readonly manifest: ErasureManifest;
  /** existed: equal content was committed before, perhaps by an earlier attempt; nothing of this one is left. */
  readonly outcome: 'written' | 'existed';
  /** Shards for repair to make; at most two where just written. */
  readonly missingShards: readonly number[];
  /** Racks that failed on the way, replaced or left out. */
  readonly faults: readonly LaneFault[];
}

/**
 * Afterwards the object is committed and survives the loss of any four racks less the missing shards. Conflict: other content is committed
 * under the key. StoreUnavailable, OutOfSpace: below the quorum, nothing is visible and what was written has been removed; or the commit
 * is in doubt, and the next attempt completes it.
 */
export async function writeErasureObject(request: WriteErasureObject): Promise<WrittenErasureObject> {
  const { content, key, racks, signal } = request;
  // An error of the source is seen where it is read; until then it must not end the process.
  if (content instanceof Readable) content.on('error', () => undefined);
  const stop = () => destroyContent(content, signal?.reason);
  signal?.addEventListener('abort', stop, { once: true });
  try {
    checkKey(key);
    checkWriteId(request.writeId);
    signal?.throwIfAborted();
    const survey: SurveyOptions = { patience: request.patience ?? defaultPatience, signal, isHasty: true };
    const existing = await findManifest(racks, key, survey);
    const standing = existing && (await standingOf(existing.manifest, racks, survey));
    if (existing && standing?.state === 'restorable') return await confirmEqual(request, existing.manifest, survey);
    return await writeAnew(request, survey);
  } finally {
    signal?.removeEventListener('abort', stop);
    destroyContent(content);
  }
}

/** The key is taken: nothing is written, but the content is read to see whether it is the same. Completes a commit that was left halfway. */
async function confirmEqual(request: WriteErasureObject, existing: ErasureManifest, survey: SurveyOptions): Promise<WrittenErasureObject> {
  if (existing.bytes !== request.bytes) throw conflict(existing, `${request.bytes} bytes`);
  const sha256 = await digestOf(request);
  if (sha256 !== existing.sha256) throw conflict(existing, `SHA-256 ${sha256}`);
  const result = await commitManifest(request.racks, existing, survey);
  if (result.state === 'lost' && !sameContent(result.winner, existing)) throw conflict(result.winner, `SHA-256 ${sha256}`);
  const manifest = result.state === 'lost' ? result.winner : existing;
  return { manifest, outcome: 'existed', missingShards: (await standingOf(manifest, request.racks, survey)).missing, faults: [] };
}

/** Of content that goes nowhere. */
async function digestOf({ bytes, content, signal }: WriteErasureObject): Promise<string> {
  const source = contentSource(content, bytes);
  const hash = createContentHash(bytes);
  let block = Buffer.allocUnsafeSlow(Math.min(bytes, MAX_CELL_BYTES)).buffer;
  try {
    for (let position = 0; position < bytes; position += MAX_CELL_BYTES) {
      signal?.throwIfAborted();
      const filled = Math.min(MAX_CELL_BYTES, bytes - position);
      await source.fill(Buffer.from(block, 0, filled));
      block = await hash.update(block, filled);
    }
    await source.end();
    return await hash.digest();
  } finally {
    hash.drop();
  }
}

async function writeAnew(request: WriteErasureObject, survey: SurveyOptions): Promise<WrittenErasureObject> {
  const { key, racks, writeId } = request;
  const identity: ObjectIdentity = { ...layoutFor(request.bytes), key, writeId, createdAtMilliseconds: Date.now() };
  const placement = await placeOnLiveRacks(racks, key, identity, survey);
  const parts = createShardParts(identity);
  const onTaken = (stripes: number) => request.onProgress?.(Math.min(request.bytes, stripes * DATA_SHARDS * identity.cellBytes));
  const lanes = openLanes({ identity, placement, parts, patience: survey.patience, onTaken });
  const { manifest, result } = await streamAndCommit(request, { identity, lanes, parts, survey });
  if (result.state === 'committed') {
    const replaced = lanes.touched().filter(({ rack }) => !manifest.shards.some((shard) => shard.rack === rack.id));
    await removeShards(replaced, identity, survey.patience);
    return { manifest, outcome: 'written', missingShards: missingShards(manifest), faults: lanes.faults };
  }
  if (result.withdrawn) await removeShards(lanes.touched(), identity, survey.patience);
  if (!sameContent(result.winner, manifest)) throw conflict(result.winner, `SHA-256 ${manifest.sha256}`);
  return { manifest: result.winner, outcome: 'existed', missingShards: result.missing, faults: lanes.faults };
}

/** On failure nothing of the attempt is left, except where the commit is in doubt. */
async function streamAndCommit(
  request: WriteErasureObject,
  { identity, lanes, parts, survey }: { identity: ObjectIdentity; lanes: LaneSet; parts: ShardParts; survey: SurveyOptions },
): Promise<{ manifest: ErasureManifest; result: CommitResult }> {
  const { signal } = request;
  const stop = () => void lanes.abandon(signal?.reason);
  signal?.addEventListener('abort', stop, { once: true });
  try {
    const source = contentSource(request.content, request.bytes);
    const digest = await streamShards({ source, identity, lanes, parts, codec: request.codec ?? sharedCodecPool });
    checkContent(request, digest);
    signal?.throwIfAborted();
    const manifest = makeManifest(identity, digest, lanes.placed());
    return { manifest, result: await commitManifest(request.racks, manifest, survey) };
  } catch (error) {
    if (!(error instanceof CommitInDoubt)) {
      await lanes.abandon(error);
      await removeShards(lanes.touched(), identity, survey.patience);
    }
    throw error;
  } finally {
    signal?.removeEventListener('abort', stop);
  }
}

function checkContent({ crc32c, key }: WriteErasureObject, digest: ContentDigest): void {
  const found = crc32cText(digest.crc32c);
  if (crc32c === undefined || crc32c === found) return;
  throw new PenstockError('ChecksumMismatch', `the content for ${JSON.stringify(key)} has CRC32C ${found} where ${crc32c} was expected.`);
}

function makeManifest(identity: ObjectIdentity, digest: ContentDigest, placed: readonly PlacedShard[]): ErasureManifest {
  return {
    format: 'penstock-erasure',
    version: 1,
    key: identity.key,
    bytes: identity.objectBytes,
    sha256: digest.sha256,
    crc32c: crc32cText(digest.crc32c),
    writeId: identity.writeId,
    dataShards: DATA_SHARDS,
    parityShards: PARITY_SHARDS,
    cellBytes: identity.cellBytes,
    stripes: identity.stripes,
    createdAt: new Date(identity.createdAtMilliseconds).toISOString(),
    shards: placed.map(({ index, rack }) => ({ index, rack: rack.id })),
  };
}

/** Without the caller's signal, for a cancelled write must clean up too, but not for long: what a silent rack keeps is found by its write id later. */
const CLEAN_UP_MILLISECONDS = 2_000;

async function removeShards(shards: readonly PlacedShard[], { key, writeId }: ObjectIdentity, patience: Patience): Promise<void> {
  const limit = Math.min(CLEAN_UP_MILLISECONDS, patience.requestMilliseconds);
  await Promise.allSettled(
    shards.map(({ index, rack }) => askRack(rack, 'removing a shard', { patience }, (signal) => rack.remove(shardKey(key, writeId, index), { signal }), limit)),
  );
}

function conflict(existing: ErasureManifest, other: string): PenstockError {
  return new PenstockError(
    'Conflict',
    `${JSON.stringify(existing.key)} is committed with other content: ${existing.bytes} bytes, SHA-256 ${existing.sha256}, and not ${other}.`,
    { nextStep: 'Choose another key, or remove the object first.' },
  );
}
