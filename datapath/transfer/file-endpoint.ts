/** A directory of a file store as one end of a transfer. A file system keeps no checksum, so equality is found by reading. */
import type { FileFacts, FileStore } from '../../drivers/file-store/port.ts';
import { PenstockError } from '../../model/errors.ts';
import type { ManifestEntry } from '../../model/manifest.ts';
import { checkContent, crc32cOfStream } from './crc32c.ts';
import type { Endpoint, PublishOptions } from './endpoint.ts';

export function createFileEndpoint(store: FileStore, path: string): Endpoint {
  const base = path.replace(/\/+$/, '');
  const inStore = (entryPath: string) => (base === '' ? entryPath : `${base}/${entryPath}`);
  const toEntry = (facts: FileFacts): ManifestEntry => ({
    path: base === '' ? facts.path : facts.path.slice(base.length + 1),
    bytes: facts.bytes,
    modifiedAt: facts.modifiedAt,
    etag: facts.etag,
  });
  return {
    label: `${store.name} ${inStore('')}`,
    store: store.name,
    createScope: () => store.createScope(),
    async list({ after, ...rest } = {}) {
      const page = await store.list(base, { ...rest, ...(after === undefined ? {} : { after: inStore(after) }) });
      const entries = page.entries.map(toEntry);
      return { entries, next: page.next === undefined ? undefined : entries.at(-1)?.path };
    },
    async stat(entryPath) {
      const facts = await store.stat(inStore(entryPath));
      return facts && toEntry(facts);
    },
    open: (entry, { signal } = {}) => store.read(inStore(entry.path), { ifMatch: entry.etag, ...(signal ? { signal } : {}) }),
    async publish(entry, content, options) {
      if (options.retention) throw noRetention(store, entry);
      const check = checkContent(content, { subject: entry.path, store: store.name, bytes: entry.bytes, crc32c: entry.crc32c });
      try {
        const facts = await store.write(inStore(entry.path), check.content, { ...fileOptions(options), modifiedAt: entry.modifiedAt });
        return { ...toEntry(facts), crc32c: check.meter.crc32c() };
      } catch (error) {
        if (!(error instanceof PenstockError) || error.type !== 'Conflict') throw error;
        return await sameOrThrow(store, inStore(entry.path), { ...entry, crc32c: check.meter.crc32c() }, error, toEntry);
      }
    },
    remove: (entryPath) => store.remove(inStore(entryPath)),
  };
}

function fileOptions({ attempt, replace, scope, signal }: PublishOptions) {
  return { attempt, replace: replace ?? false, ...(scope ? { scope } : {}), ...(signal ? { signal } : {}) };
}

/** The name is taken: by an earlier attempt's equal content, which is success, or by something else. */
async function sameOrThrow(
  store: FileStore,
  path: string,
  wanted: ManifestEntry,
  conflict: PenstockError,
  toEntry: (facts: FileFacts) => ManifestEntry,
): Promise<ManifestEntry> {
  const facts = await store.stat(path);
  if (!facts || facts.bytes !== wanted.bytes) throw conflict;
  const { crc32c } = await crc32cOfStream(await store.read(path, { ifMatch: facts.etag }));
  if (crc32c !== wanted.crc32c) throw conflict;
  return { ...toEntry(facts), crc32c };
}

function noRetention(store: FileStore, entry: ManifestEntry): PenstockError {
  return new PenstockError('PolicyRefused', `${JSON.stringify(entry.path)} cannot be retained: a file system has no Object Lock.`, {
    store: store.name,
    nextStep: 'Name an object store with Object Lock.',
  });
}
