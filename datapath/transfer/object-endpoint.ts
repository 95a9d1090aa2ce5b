/** A prefix of a bucket as one end of a transfer. */
import type { ListedObject, ObjectFacts, ObjectStore, WriteOptions } from '../../drivers/object-store/port.ts';
import { PenstockError } from '../../model/errors.ts';
import type { ManifestEntry } from '../../model/manifest.ts';
import { checkContent, crc32cOfStream } from './crc32c.ts';
import type { Endpoint, PublishOptions, Retention } from './endpoint.ts';

/** User metadata: what the content is, for stores that keep no CRC32C of their own, and when its source was modified. */
export const CRC32C_METADATA = 'penstock-crc32c';
export const MTIME_METADATA = 'penstock-mtime';

/** @param prefix empty, or steps; a final `/` is added where it is missing */
export function createObjectEndpoint(store: ObjectStore, bucket: string, prefix: string): Endpoint {
  const base = prefix === '' || prefix.endsWith('/') ? prefix : `${prefix}/`;
  return {
    label: `${store.name} s3://${bucket}/${base}`,
    store: store.name,
    async list({ after, ...rest } = {}) {
      const page = await store.list(bucket, base, { ...rest, ...(after === undefined ? {} : { after: `${base}${after}` }) });
      return { entries: page.entries.filter(isContent).map((object) => toEntry(base, object)), next: page.next?.slice(base.length) };
    },
    async stat(path) {
      const facts = await store.head(bucket, `${base}${path}`);
      return facts && factsToEntry(base, facts);
    },
    async open(entry, { signal } = {}) {
      const key = `${base}${entry.path}`;
      const ifMatch = await versionOf(store, bucket, key, entry);
      return store.read(bucket, key, { ...(ifMatch ? { ifMatch } : {}), ...(signal ? { signal } : {}) });
    },
    async publish(entry, content, options) {
      const key = `${base}${entry.path}`;
      const check = checkContent(content, { subject: entry.path, store: store.name, bytes: entry.bytes, crc32c: entry.crc32c });
      try {
        const written = await store.writeStream(bucket, key, check.content, writeOptions(entry, options));
        return { path: entry.path, bytes: written.bytes, modifiedAt: entry.modifiedAt, etag: written.etag, crc32c: written.crc32c };
      } catch (error) {
        if (!(error instanceof PenstockError) || error.type !== 'Conflict') throw error;
        const existing = await sameOrThrow(store, bucket, key, { bytes: entry.bytes, crc32c: check.meter.crc32c() }, error);
        if (options.retention) await holdAtLeast(store, bucket, key, options.retention);
        return { ...factsToEntry(base, existing), modifiedAt: entry.modifiedAt, crc32c: check.meter.crc32c() };
      }
    },
    retain: (path, retention) => holdAtLeast(store, bucket, `${base}${path}`, retention),
    remove: (path) => store.remove(bucket, `${base}${path}`),
  };
}

/** A key ending in `/` without content is how some clients show an empty directory. */
const isContent = (object: ListedObject): boolean => !(object.key.endsWith('/') && object.bytes === 0);

function toEntry(base: string, object: ListedObject): ManifestEntry {
  return { path: object.key.slice(base.length), bytes: object.bytes, modifiedAt: object.modifiedAt, etag: etagOf(object) };
}

function factsToEntry(base: string, facts: ObjectFacts): ManifestEntry {
  const crc32c = facts.crc32c ?? facts.metadata[CRC32C_METADATA];
  const modifiedAt = facts.metadata[MTIME_METADATA] ?? facts.modifiedAt;
  return { ...toEntry(base, facts), modifiedAt, ...(crc32c ? { crc32c } : {}) };
}

/** A file that NFS users wrote beside a gateway has an empty etag there; size and time tell its change instead. */
const WEAK_ETAG = /^\d+-\d{4}-\d\d-\d\dT/;
const etagOf = (object: ListedObject): string => object.etag || `${object.bytes}-${object.modifiedAt}`;

/** @returns the etag to read by, or undefined where the object has none and was compared here instead */
async function versionOf(store: ObjectStore, bucket: string, key: string, entry: ManifestEntry): Promise<string | undefined> {
  if (!WEAK_ETAG.test(entry.etag)) return entry.etag;
  const facts = await store.head(bucket, key);
  if (!facts) throw new PenstockError('NotFound', `s3://${bucket}/${key} is gone.`, { store: store.name });
  if (etagOf(facts) === entry.etag) return undefined;
  throw new PenstockError('SourceChanged', `s3://${bucket}/${key} is no longer the version ${entry.etag}.`, { store: store.name });
}

function writeOptions(entry: ManifestEntry, { replace, retention, signal }: PublishOptions): WriteOptions {
  return {
    ifNoneMatch: !replace,
    expected: { bytes: entry.bytes, crc32c: entry.crc32c },
    metadata: { [MTIME_METADATA]: entry.modifiedAt, ...(entry.crc32c ? { [CRC32C_METADATA]: entry.crc32c } : {}) },
    ...(retention ? { retention } : {}),
    ...(signal ? { signal } : {}),
  };
}

/** The key is taken: by an earlier attempt's equal content, which is success, or by something else. */
async function sameOrThrow(
  store: ObjectStore,
  bucket: string,
  key: string,
  wanted: { readonly bytes: number; readonly crc32c: string },
  conflict: PenstockError,
): Promise<ObjectFacts> {
  const facts = await store.head(bucket, key);
  if (!facts || facts.bytes !== wanted.bytes) throw conflict;
  const crc32c = facts.crc32c ?? (await crc32cOfStream(await store.read(bucket, key, facts.etag ? { ifMatch: facts.etag } : {}))).crc32c;
  if (crc32c !== wanted.crc32c) throw conflict;
  return facts;
}

/** An object held longer already is held. */
async function holdAtLeast(store: ObjectStore, bucket: string, key: string, retention: Retention): Promise<void> {
  const held = await store.retention(bucket, key);
  const isEnough = held?.mode === 'COMPLIANCE' && Date.parse(held.retainUntil) >= Date.parse(retention.retainUntil);
  if (!isEnough) await store.retain(bucket, key, retention);
}
