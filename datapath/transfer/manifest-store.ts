/**
 * Manifests in an object store (manifest-format.ts). Pages first, each named by its content, then the index, whose conditional write is the
 * commit: a manifest exists when its index does. Names by content let a rival or zombie attempt write what it likes and change nothing.
 */
import type { ObjectStore } from '../../drivers/object-store/port.ts';
import { absent, isType, PenstockError } from '../../model/errors.ts';
import type { ManifestEntry, ManifestRef } from '../../model/manifest.ts';
import { LARGE_BYTES, UNIT_BYTES } from '../../model/transfer-plan.ts';
import { batches } from './batches.ts';
import { inLanes } from './lanes.ts';
import { digestOf, indexKey, keyOfPage, type ManifestIndex, type PageFacts, parseIndex, six, unitsOf } from './manifest-format.ts';
import { corrupt, MAX_PAGE_SIZE, type PagePlace, readPage, writePage } from './manifest-page.ts';

/** 150 bytes a page: 100,000 pages, a thousand million entries. */
const MAX_INDEX_BYTES = 16 * 2 ** 20;

export interface ManifestPlace extends PagePlace {
  /** The store's name in the site file, for the reference. */
  readonly storeName: string;
}
export interface WriteManifestOptions extends ManifestPlace {
  /** In path order. */
  readonly entries: AsyncIterable<ManifestEntry> | Iterable<ManifestEntry>;
  /** 1 to 10,000; default 10,000. */
  readonly pageSize?: number;
  /** From which size on an entry is moved by several workers; default {@link LARGE_BYTES}. */
  readonly largeBytes?: number;
  readonly signal?: AbortSignal;
  /** Called after each page, for a heartbeat. */
  readonly onPage?: (written: { readonly pages: number; readonly files: number; readonly bytes: number }) => void;
}
export interface WriteRangesOptions extends Omit<WriteManifestOptions, 'entries'> {
  /** Each in path order, and all of it before the next range's first. */
  readonly ranges: readonly (() => AsyncIterable<ManifestEntry> | Iterable<ManifestEntry>)[];
  /** Ranges read side by side; default 4. */
  readonly concurrency?: number;
}

const DEFAULT_CONCURRENCY = 4;
/** A page is the least that one activity moves: cut by entries, and by bytes. */
const PAGE_WEIGHT = { of: ({ bytes }: ManifestEntry): number => bytes, full: UNIT_BYTES };

/** Writing the same list again answers the same reference. @throws Conflict where another list is committed there: see {@link findManifest} */
export function writeManifest({ entries, ...options }: WriteManifestOptions): Promise<ManifestRef> {
  return writeManifestRanges({ ...options, ranges: [() => entries] });
}

/** The same from a list cut in ranges, which are read and written side by side; a page of each at a time is in memory. */
export async function writeManifestRanges(options: WriteRangesOptions): Promise<ManifestRef> {
  const written: PageFacts[][] = options.ranges.map(() => []);
  const total = { pages: 0, files: 0, bytes: 0 };
  const { largeBytes = LARGE_BYTES } = options;
  const pageSize = Math.min(MAX_PAGE_SIZE, Math.max(1, options.pageSize ?? MAX_PAGE_SIZE));
  await inLanes(options.ranges.entries(), options.concurrency ?? DEFAULT_CONCURRENCY, async ([range, open]) => {
    const pages = written[range] ?? [];
    for await (const entries of batches(open(), { items: pageSize, weight: PAGE_WEIGHT })) {
      const facts = await writePage(options, `${six(range)}-${six(pages.length)}`, entries, { largeBytes, ...withSignal(options.signal) });
      pages.push(facts);
      total.pages += 1;
      total.files += facts.files;
      total.bytes += facts.bytes;
      options.onPage?.({ ...total });
    }
  });
  return await commitIndex(options, { pages: written.flat(), largeBytes }, options.signal);
}

/** The commit: pages must lie there already. A repeat finds its own. */
export async function commitIndex(place: ManifestPlace, list: Pick<ManifestIndex, 'pages' | 'largeBytes'>, signal?: AbortSignal): Promise<ManifestRef> {
  const index: ManifestIndex = { version: 2, ...list };
  const ref = refOf(place, index);
  try {
    await place.store.writeBytes(place.bucket, indexKey(place.prefix), Buffer.from(JSON.stringify(index)), {
      ifNoneMatch: true,
      contentType: 'application/json',
      ...withSignal(signal),
    });
  } catch (error) {
    if (!isType(error, 'Conflict')) throw error;
    const committed = await findManifest(place);
    if (committed?.digest !== ref.digest) throw error;
  }
  return ref;
}

/** The manifest committed there, if one is: what a repeated activity asks before it lists its source again. */
export async function findManifest(place: ManifestPlace): Promise<ManifestRef | undefined> {
  const index = await readIndex(place).catch(absent);
  return index && refOf(place, index);
}

/**
 * All pages in order. @throws CorruptSource where any page or the index is not what the reference's digest says
 */
export async function* readManifest(store: ObjectStore, ref: ManifestRef, signal?: AbortSignal): AsyncGenerator<ManifestEntry, void> {
  for (let page = 0; page < ref.pages; page += 1) yield* await readManifestPage(store, ref, page, signal);
}

/** One page of a manifest, counted from 0. */
export async function readManifestPage(store: ObjectStore, ref: ManifestRef, page: number, signal?: AbortSignal): Promise<readonly ManifestEntry[]> {
  const facts = (await readManifestIndex(store, ref)).pages[page];
  if (!facts) throw new PenstockError('InvalidInput', `The manifest ${ref.prefix} has ${ref.pages} pages, so there is no page ${page}.`, { store: ref.store });
  return readPage(store, ref, keyOfPage(ref.prefix, page, facts), facts.sha256, signal);
}

/** Verified indexes by place and digest, which names their content: a cache that cannot be stale. */
const verifiedIndexes = new Map<string, ManifestIndex>();
const REMEMBERED_INDEXES = 16;

/** @throws NotFound, and CorruptSource where it is not the one the reference names */
export async function readManifestIndex(store: ObjectStore, ref: ManifestRef): Promise<ManifestIndex> {
  const place = `${ref.store}/${ref.bucket}/${ref.prefix}#${ref.digest}`;
  const known = verifiedIndexes.get(place);
  if (known) return known;
  const index = await readIndex({ store, bucket: ref.bucket, prefix: ref.prefix });
  if (digestOf(index) !== ref.digest) throw corrupt(ref, 'its index is not the one the reference names');
  verifiedIndexes.set(place, index);
  const oldest = verifiedIndexes.keys().next();
  if (verifiedIndexes.size > REMEMBERED_INDEXES && !oldest.done) verifiedIndexes.delete(oldest.value);
  return index;
}

async function readIndex({ store, bucket, prefix }: PagePlace): Promise<ManifestIndex> {
  const index = parseIndex(await store.readBytes(bucket, indexKey(prefix), { limitBytes: MAX_INDEX_BYTES }));
  if (index) return index;
  throw new PenstockError('CorruptSource', `s3://${bucket}/${indexKey(prefix)} is no manifest index.`, { store: store.name });
}

function refOf({ bucket, prefix, storeName }: ManifestPlace, index: ManifestIndex): ManifestRef {
  return {
    store: storeName,
    bucket,
    prefix,
    pages: index.pages.length,
    files: sum(index.pages, 'files'),
    bytes: sum(index.pages, 'bytes'),
    digest: digestOf(index),
    units: unitsOf(index).length,
  };
}

const sum = (pages: readonly PageFacts[], field: 'files' | 'bytes'): number => pages.reduce((total, page) => total + page[field], 0);
const withSignal = (signal: AbortSignal | undefined) => (signal ? { signal } : {});
