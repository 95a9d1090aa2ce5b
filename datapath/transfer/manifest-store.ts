/**
 * Manifests in an object store (manifest-format.ts). Pages first, each named by its number and content, then the index, whose conditional write is the
 * commit: a manifest exists when its index does. Names by content let a rival or zombie attempt write what it likes and change nothing.
 */
import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { constants, zstdCompress, zstdDecompress } from 'node:zlib';
import type { ObjectStore } from '../../drivers/object-store/port.ts';
import { PenstockError } from '../../model/errors.ts';
import type { ManifestEntry, ManifestRef } from '../../model/manifest.ts';
import { digestOf, indexKey, type ManifestIndex, openPageKey, type PageFacts, pageKey, parseIndex, parseLines, toLines } from './manifest-format.ts';

const compress = promisify(zstdCompress);
const decompress = promisify(zstdDecompress);

/** 10,000 entries are about 2 MB of JSON; one page is held in memory at a time. */
const MAX_PAGE_SIZE = 10_000;
/** What a page may hold unpacked: 10,000 entries with the longest paths. A crafted page must not fill memory. */
const MAX_PAGE_BYTES = 64 * 2 ** 20;
/** 100 bytes a page: 100,000 pages, a thousand million entries. */
const MAX_INDEX_BYTES = 16 * 2 ** 20;

export interface ManifestPlace {
  readonly store: ObjectStore;
  readonly bucket: string;
  readonly prefix: string;
}
export interface WriteManifestOptions extends ManifestPlace {
  /** The store's name in the site file, for the reference. */
  readonly storeName: string;
  /** In path order. */
  readonly entries: AsyncIterable<ManifestEntry> | Iterable<ManifestEntry>;
  /** 1 to 10,000; default 10,000. */
  readonly pageSize?: number;
  readonly signal?: AbortSignal;
  /** Called after each page, for a heartbeat. */
  readonly onPage?: (written: { readonly pages: number; readonly files: number; readonly bytes: number }) => void;
}

/** Writing the same list again answers the same reference. @throws Conflict where another list is committed there: see {@link findManifest} */
export async function writeManifest(options: WriteManifestOptions): Promise<ManifestRef> {
  const pages: PageFacts[] = [];
  for await (const entries of batches(options.entries, Math.min(MAX_PAGE_SIZE, Math.max(1, options.pageSize ?? MAX_PAGE_SIZE)))) {
    pages.push(await writePage(options, pages.length, entries));
    options.onPage?.({ pages: pages.length, files: sum(pages, 'files'), bytes: sum(pages, 'bytes') });
  }
  const index: ManifestIndex = { version: 1, pages };
  const ref = refOf(options, options.storeName, index);
  try {
    await options.store.writeBytes(options.bucket, indexKey(options.prefix), Buffer.from(JSON.stringify(index)), {
      ifNoneMatch: true,
      contentType: 'application/json',
      ...withSignal(options.signal),
    });
  } catch (error) {
    if (!(error instanceof PenstockError) || error.type !== 'Conflict') throw error;
    const committed = await findManifest(options, options.storeName);
    if (committed?.digest !== ref.digest) throw error;
  }
  return ref;
}

/** The manifest committed there, if one is: what a repeated activity asks before it lists its source again. */
export async function findManifest(place: ManifestPlace, storeName: string): Promise<ManifestRef | undefined> {
  const index = await readIndex(place).catch(absent);
  return index && refOf(place, storeName, index);
}

function absent(error: unknown): undefined {
  if (error instanceof PenstockError && error.type === 'NotFound') return undefined;
  throw error;
}

/**
 * All pages in order. @throws CorruptSource where any page or the index is not what the reference's digest says
 */
export async function* readManifest(store: ObjectStore, ref: ManifestRef, signal?: AbortSignal): AsyncGenerator<ManifestEntry, void> {
  for (let page = 0; page < ref.pages; page += 1) yield* await readManifestPage(store, ref, page, signal);
}

/** One page of a manifest, counted from 0. A manifest still being written page by page has no digest to hold it to yet; see {@link writeManifestPage}. */
export async function readManifestPage(store: ObjectStore, ref: ManifestRef, page: number, signal?: AbortSignal): Promise<readonly ManifestEntry[]> {
  const index = await readVerifiedIndex(store, ref);
  if (!index) return readPage(store, ref, openPageKey(ref.prefix, page), undefined, signal);
  const facts = index.pages[page];
  if (!facts) throw new PenstockError('InvalidInput', `The manifest ${ref.prefix} has ${ref.pages} pages, so there is no page ${page}.`, { store: ref.store });
  return readPage(store, ref, pageKey(ref.prefix, page, facts.sha256), facts, signal);
}

/**
 * Writes one page of a manifest that comes to be page by page, such as that of what has moved so far. It may be written again. Such pages have names of
 * their own, so that a manifest that lost its index is never taken for one. Closed by {@link writeManifest} from what {@link readManifest} yields.
 */
export async function writeManifestPage(
  store: ObjectStore,
  place: Pick<ManifestRef, 'bucket' | 'prefix'>,
  page: number,
  entries: readonly ManifestEntry[],
): Promise<void> {
  await store.writeBytes(place.bucket, openPageKey(place.prefix, page), await pack(toLines(entries)), { contentType: 'application/zstd' });
}

async function writePage(place: WriteManifestOptions, page: number, entries: readonly ManifestEntry[]): Promise<PageFacts> {
  const lines = toLines(entries);
  const facts = {
    sha256: createHash('sha256').update(lines).digest('hex'),
    files: entries.length,
    bytes: entries.reduce((total, entry) => total + entry.bytes, 0),
  };
  const body = await pack(lines);
  // Replacing is harmless: under this name only this content can lie, however another release of zstd may pack it.
  await place.store.writeBytes(place.bucket, pageKey(place.prefix, page, facts.sha256), body, {
    contentType: 'application/zstd',
    ...withSignal(place.signal),
  });
  return facts;
}

const pack = (lines: Buffer): Promise<Buffer> => compress(lines, { params: { [constants.ZSTD_c_compressionLevel]: 3, [constants.ZSTD_c_checksumFlag]: 1 } });

async function readPage(
  store: ObjectStore,
  ref: ManifestRef,
  key: string,
  facts: PageFacts | undefined,
  signal: AbortSignal | undefined,
): Promise<ManifestEntry[]> {
  const packed = await store.readBytes(ref.bucket, key, { limitBytes: MAX_PAGE_BYTES, ...withSignal(signal) });
  const lines = await decompress(packed, { maxOutputLength: MAX_PAGE_BYTES }).catch((error: unknown) => {
    throw corrupt(ref, `${key} cannot be unpacked`, error);
  });
  if (facts && createHash('sha256').update(lines).digest('hex') !== facts.sha256) throw corrupt(ref, `${key} is not the page the index names`);
  return parseLines(lines, (reason) => corrupt(ref, `${key}: ${reason}`));
}

/** Verified indexes by place and digest, which names their content: a cache that cannot be stale. */
const verifiedIndexes = new Map<string, ManifestIndex>();
const REMEMBERED_INDEXES = 16;

/** Undefined where there is none (yet). */
async function readVerifiedIndex(store: ObjectStore, ref: ManifestRef): Promise<ManifestIndex | undefined> {
  const place = `${ref.store}/${ref.bucket}/${ref.prefix}#${ref.digest}`;
  const known = verifiedIndexes.get(place);
  if (known) return known;
  const index = await readIndex({ store, bucket: ref.bucket, prefix: ref.prefix }).catch(absent);
  if (!index) return undefined;
  if (digestOf(index) !== ref.digest) throw corrupt(ref, 'its index is not the one the reference names');
  verifiedIndexes.set(place, index);
  const oldest = verifiedIndexes.keys().next();
  if (verifiedIndexes.size > REMEMBERED_INDEXES && !oldest.done) verifiedIndexes.delete(oldest.value);
  return index;
}

async function readIndex({ store, bucket, prefix }: ManifestPlace): Promise<ManifestIndex> {
  const index = parseIndex(await store.readBytes(bucket, indexKey(prefix), { limitBytes: MAX_INDEX_BYTES }));
  if (index) return index;
  throw new PenstockError('CorruptSource', `s3://${bucket}/${indexKey(prefix)} is no manifest index.`, { store: store.name });
}

function refOf({ bucket, prefix }: ManifestPlace, storeName: string, index: ManifestIndex): ManifestRef {
  return {
    store: storeName,
    bucket,
    prefix,
    pages: index.pages.length,
    files: sum(index.pages, 'files'),
    bytes: sum(index.pages, 'bytes'),
    digest: digestOf(index),
  };
}

async function* batches<T>(items: AsyncIterable<T> | Iterable<T>, size: number): AsyncGenerator<T[], void> {
  let batch: T[] = [];
  for await (const item of items) {
    batch.push(item);
    if (batch.length < size) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}

function corrupt(ref: ManifestRef, reason: string, cause?: unknown): PenstockError {
  return new PenstockError('CorruptSource', `The manifest s3://${ref.bucket}/${ref.prefix} is damaged: ${reason}.`, {
    store: ref.store,
    cause,
    nextStep: 'Write it again from its source, or read another copy.',
  });
}

const sum = (pages: readonly PageFacts[], field: 'files' | 'bytes'): number => pages.reduce((total, page) => total + page[field], 0);
const withSignal = (signal: AbortSignal | undefined) => (signal ? { signal } : {});
