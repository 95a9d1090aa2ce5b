/** One page of a manifest: packed, named by whoever writes it, read back only as what it was. */
import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { constants, zstdCompress, zstdDecompress } from 'node:zlib';
import type { ObjectStore } from '../../drivers/object-store/port.ts';
import { PenstockError } from '../../model/errors.ts';
import type { ManifestEntry, ManifestRef } from '../../model/manifest.ts';
import { type PageFacts, pageKey, parseLines, toLines } from './manifest-format.ts';

const compress = promisify(zstdCompress);
const decompress = promisify(zstdDecompress);

/** 10,000 entries are about 2 MB of JSON. */
export const MAX_PAGE_SIZE = 10_000;
/** What a page may hold unpacked: 10,000 entries with the longest paths. A crafted page must not fill memory. */
const MAX_PAGE_BYTES = 64 * 2 ** 20;

export interface PackedPage {
  readonly facts: PageFacts;
  readonly body: Buffer;
}

/** @param largeBytes from which size on entries are listed as large */
export async function packPage(entries: readonly ManifestEntry[], largeBytes: number): Promise<PackedPage> {
  const lines = toLines(entries);
  const large = entries.flatMap(({ bytes }, index) => (bytes >= largeBytes ? [{ index, bytes }] : []));
  const facts = {
    sha256: createHash('sha256').update(lines).digest('hex'),
    files: entries.length,
    bytes: entries.reduce((total, entry) => total + entry.bytes, 0),
    ...(large.length > 0 ? { large } : {}),
  };
  const body = await compress(lines, { params: { [constants.ZSTD_c_compressionLevel]: 3, [constants.ZSTD_c_checksumFlag]: 1 } });
  return { facts, body };
}

export interface PagePlace {
  readonly store: ObjectStore;
  readonly bucket: string;
  readonly prefix: string;
}

export interface WritePageOptions {
  /** Absent: no entry is listed as large. */
  readonly largeBytes?: number;
  readonly signal?: AbortSignal;
}

/** Replacing is harmless: the name holds the content's hash, however another release of zstd may pack it. @returns the facts with the name */
export async function writePage(place: PagePlace, label: string, entries: readonly ManifestEntry[], options: WritePageOptions = {}): Promise<PageFacts> {
  const { signal } = options;
  const { facts, body } = await packPage(entries, options.largeBytes ?? Number.POSITIVE_INFINITY);
  const name = `${label}-${facts.sha256.slice(0, 16)}`;
  await place.store.writeBytes(place.bucket, pageKey(place.prefix, name), body, {
    contentType: 'application/zstd',
    ...(signal ? { signal } : {}),
  });
  return { name, ...facts };
}

/** @throws CorruptSource where it is not the page that the facts name */
export async function readPage(store: ObjectStore, ref: ManifestRef, key: string, sha256: string, signal?: AbortSignal): Promise<ManifestEntry[]> {
  const packed = await store.readBytes(ref.bucket, key, { limitBytes: MAX_PAGE_BYTES, ...(signal ? { signal } : {}) });
  const lines = await decompress(packed, { maxOutputLength: MAX_PAGE_BYTES }).catch((error: unknown) => {
    throw corrupt(ref, `${key} cannot be unpacked`, error);
  });
  if (createHash('sha256').update(lines).digest('hex') !== sha256) throw corrupt(ref, `${key} is not the page the index names`);
  return parseLines(lines, (reason) => corrupt(ref, `${key}: ${reason}`));
}

export function corrupt(ref: ManifestRef, reason: string, cause?: unknown): PenstockError {
  return new PenstockError('CorruptSource', `The manifest s3://${ref.bucket}/${ref.prefix} is damaged: ${reason}.`, {
    store: ref.store,
    cause,
    nextStep: 'Write it again from its source, or read another copy.',
  });
}
