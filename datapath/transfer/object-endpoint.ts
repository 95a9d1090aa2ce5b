/** A prefix of a bucket as one end of a transfer. */
import type { ListedObject, ObjectFacts, ObjectStore } from '../../drivers/object-store/port.ts';
import type { ManifestEntry } from '../../model/manifest.ts';
import { coversLock } from '../../model/retention.ts';
import type { Endpoint, Retention } from './endpoint.ts';
import { attributesOf, CRC32C_METADATA, modifiedAtOf } from './object-metadata.ts';
import { openObject } from './object-reader.ts';
import { createObject } from './object-writer.ts';

/** Where the objects of an endpoint lie. */
export interface ObjectPlace {
  readonly store: ObjectStore;
  readonly bucket: string;
  /** Empty, or with a final `/`. */
  readonly base: string;
}

/** @param prefix empty, or steps; a final `/` is added where it is missing */
export function createObjectEndpoint(store: ObjectStore, bucket: string, prefix: string): Endpoint {
  const base = prefix === '' || prefix.endsWith('/') ? prefix : `${prefix}/`;
  const place: ObjectPlace = { store, bucket, base };
  return {
    label: `${store.name} s3://${bucket}/${base}`,
    store: store.name,
    async list({ after, ...rest } = {}) {
      const page = await store.list(bucket, base, { ...rest, ...(after === undefined ? {} : { after: `${base}${after}` }) });
      const entries = page.entries.filter((object) => object.key !== base);
      return { entries: entries.map((object) => toEntry(base, object)), next: page.next?.slice(base.length) };
    },
    async cuts(signal) {
      const names = await store.listPrefixes(bucket, base, signal ? { signal } : {});
      return names.map((name) => name.slice(base.length));
    },
    async stat(path, signal) {
      const facts = await store.head(bucket, `${base}${path}`, { signal });
      return facts && factsToEntry(base, facts);
    },
    open: (entry, { signal } = {}) => openObject(place, entry, signal),
    create: (entry, options) => createObject(place, entry, options),
    retain: (path, retention, signal) => holdAtLeast(store, bucket, `${base}${path}`, retention, signal),
    remove: (path, signal) => store.remove(bucket, `${base}${path}`, { signal }),
    sweep: async (olderThan) => (await store.sweep?.(bucket, base, olderThan)) ?? 0,
  };
}

export function toEntry(base: string, object: ListedObject): ManifestEntry {
  return { path: object.key.slice(base.length), bytes: object.bytes, modifiedAt: object.modifiedAt, etag: etagOf(object) };
}

export function factsToEntry(base: string, facts: ObjectFacts): ManifestEntry {
  const crc32c = facts.crc32c ?? facts.metadata[CRC32C_METADATA];
  const modifiedAt = modifiedAtOf(facts.metadata) ?? facts.modifiedAt;
  const { linkTarget } = attributesOf(facts.metadata, facts.bytes);
  return {
    ...toEntry(base, facts),
    modifiedAt,
    ...(crc32c ? { crc32c } : facts.foreign && { foreign: facts.foreign }),
    ...(linkTarget === undefined ? {} : { linkTarget }),
  };
}

/** A file that NFS users wrote beside a gateway has an empty etag there; size and time tell its change instead. */
export const WEAK_ETAG = /^\d+-\d{4}-\d\d-\d\dT/;
export const etagOf = (object: ListedObject): string => object.etag || `${object.bytes}-${object.modifiedAt}`;

/** An object held longer already is held. */
export async function holdAtLeast(store: ObjectStore, bucket: string, key: string, retention: Retention, signal?: AbortSignal): Promise<void> {
  const held = await store.retention(bucket, key, undefined, signal);
  const isEnough = held !== undefined && coversLock(held, retention);
  if (!isEnough) await store.retain(bucket, key, retention, undefined, signal);
}
