/** What a store says it wrote, held to what is known of the content, before it counts as an entry; a taken name may be this very content. */
import type { ObjectFacts, ObjectStore, StoredObject, WriteOptions } from '../../drivers/object-store/port.ts';
import { isType, PenstockError } from '../../model/errors.ts';
import type { ManifestEntry } from '../../model/manifest.ts';
import type { CreateOptions } from './endpoint.ts';
import type { ForeignChecksum } from './foreign-checksum.ts';
import { etagOf, factsToEntry, holdAtLeast, type ObjectPlace } from './object-endpoint.ts';
import { metadataOf } from './object-metadata.ts';
import { openObject } from './object-reader.ts';
import { OtherContent } from './other-content.ts';
import { readChecksum, readCrc32c } from './read-crc32c.ts';
import { SourceFailure } from './source-failure.ts';

export interface Target {
  readonly place: ObjectPlace;
  readonly key: string;
  readonly entry: ManifestEntry;
  readonly options: CreateOptions;
}

/** What is known of the content that was to be written; of both, where both are, the CRC32C is believed. */
export interface Witness {
  readonly crc32c?: string | undefined;
  readonly foreign?: ForeignChecksum | undefined;
}

/**
 * The store's answer as an entry; a taken name is looked into.
 * @param witness of what was to be written, given what was; empty where that needs no comparing
 */
export async function publish(
  target: Target,
  write: Promise<StoredObject>,
  witness: (written?: StoredObject) => Witness | Promise<Witness>,
): Promise<ManifestEntry> {
  const { place, key, entry, options } = target;
  try {
    const written = await write;
    const denial = denialOf(written, await witness(written));
    if (denial !== undefined) {
      // Only a copy by the store is compared behind its publication: it must not stay under the name.
      await removeCopy(target, written);
      throw new SourceFailure(
        new PenstockError('ChecksumMismatch', `${JSON.stringify(entry.path)} was copied with ${denial} is on record.`, { store: place.store.name }),
      );
    }
    const link = options.attributes?.linkTarget;
    const { bytes, etag, crc32c, foreign } = written;
    return {
      path: entry.path,
      bytes,
      modifiedAt: entry.modifiedAt,
      etag,
      ...(crc32c === undefined ? foreign && { foreign } : { crc32c }),
      ...(link === undefined ? {} : { linkTarget: link }),
    };
  } catch (error) {
    if (!(error instanceof PenstockError)) throw error;
    const conflict = mayBeOurs(error) ? error : await refusedUnheard(target, error);
    const existing = await sameOrThrow(target, await witness(), conflict);
    if (options.retention) await holdAtLeast(place.store, place.bucket, key, options.retention, options.signal);
    return existing;
  }
}

/** Best effort. */
export const removeCopy = ({ place, key }: Target, { versionId }: StoredObject): Promise<void> =>
  place.store.remove(place.bucket, key, versionId ? { versionId } : {}).catch(() => undefined);

export const writeOptions = ({ entry, options }: Target, crc32c: string | undefined, signal: AbortSignal | undefined): WriteOptions => ({
  ifNoneMatch: !options.replace,
  ...options.attributes?.servedAs,
  metadata: metadataOf(entry, crc32c ?? entry.crc32c, options.attributes),
  ...(options.retention ? { retention: options.retention } : {}),
  ...(signal ? { signal } : {}),
});

function denialOf({ crc32c, foreign }: StoredObject, known: Witness): string | undefined {
  if (crc32c !== undefined && known.crc32c !== undefined && crc32c !== known.crc32c) return `CRC32C ${crc32c} where ${known.crc32c}`;
  const isOther = foreign !== undefined && known.foreign?.algorithm === foreign.algorithm && known.foreign.value !== foreign.value;
  return isOther ? `${foreign.algorithm} ${foreign.value} where ${known.foreign.value}` : undefined;
}

/**
 * A store that refuses at the first bytes hangs up while the rest is sent, and its reason is lost: where the name was to be free and is taken, that was it.
 * @throws the error, where it is not
 */
async function refusedUnheard({ place, key, options }: Target, error: PenstockError): Promise<PenstockError> {
  if (error.type !== 'StoreUnavailable' || options.replace) throw error;
  const held = await place.store.head(place.bucket, key, { signal: options.signal });
  if (!held) throw error;
  return new PenstockError('Conflict', `s3://${place.bucket}/${key} exists with other content.`, { store: place.store.name, cause: error });
}

/** The name is taken, or the upload has ended: by this very request, where its answer was lost on the way. */
const mayBeOurs = (error: PenstockError): boolean => error.type === 'Conflict' || error.type === 'SessionLost';

/** The key is taken: by an earlier attempt's equal content, which is success, or by something else. */
async function sameOrThrow(target: Target, known: Witness, conflict: PenstockError): Promise<ManifestEntry> {
  const { place, key, entry, options } = target;
  const { store, bucket, base } = place;
  const facts = await store.head(bucket, key, { signal: options.signal });
  if (!facts) throw conflict;
  const found = (): ManifestEntry => ({ ...factsToEntry(base, facts), modifiedAt: entry.modifiedAt });
  const refusal = (difference: string): PenstockError => {
    // An ended upload is begun anew.
    if (conflict.type !== 'Conflict') return conflict;
    const label = `s3://${bucket}/${key}`;
    return new OtherContent({ label, bytes: facts.bytes, wantedBytes: entry.bytes, difference }, { store: store.name, cause: conflict });
  };
  const { foreign } = known;
  if (known.crc32c === undefined && foreign && facts.bytes === entry.bytes && facts.foreign?.algorithm === foreign.algorithm) {
    if (facts.foreign.value === foreign.value) return found();
    throw refusal(`other ${foreign.algorithm}`);
  }
  // A request refused at its first bytes may be the repeat of one that succeeded: what it was to carry is read for its checksum then.
  const wanted = known.crc32c ?? entry.crc32c ?? (options.source && (await readChecksum(options.source, { signal: options.signal })));
  const isKnown = facts.bytes === entry.bytes && wanted !== undefined;
  const held = isKnown ? (facts.crc32c ?? (await crc32cOfObject(store, bucket, facts, options.signal).catch(orRotten))) : undefined;
  if (held !== undefined && held === wanted) return { ...found(), crc32c: wanted };
  throw refusal(held === undefined ? 'content that cannot be compared' : held === ROTTEN ? 'rotten there' : 'other CRC32C');
}

/** No CRC32C. */
const ROTTEN = 'rotten';

function orRotten(error: unknown): string {
  if (isType(error, 'ChecksumMismatch')) return ROTTEN;
  throw error;
}

async function crc32cOfObject(store: ObjectStore, bucket: string, facts: ObjectFacts, signal: AbortSignal | undefined): Promise<string> {
  const { key: path, bytes, modifiedAt } = facts;
  return readCrc32c(await openObject({ store, bucket, base: '' }, { path, bytes, modifiedAt, etag: etagOf(facts) }, signal), { signal });
}
