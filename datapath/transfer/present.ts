/**
 * What of a list already lies at the target. The target is asked, not a record of earlier attempts: one listing over the list's range instead of a question per
 * entry, so that a first copy pays one request per thousand entries and a resumed one moves only what is missing.
 */
import { isFatal } from '../../model/errors.ts';
import type { ManifestEntry } from '../../model/manifest.ts';
import type { Endpoint, EntryPage } from './endpoint.ts';
import { isDirectory } from './file-endpoint.ts';
import type { RateLimiter } from './rate-limiter.ts';
import { readCrc32c } from './read-crc32c.ts';

/** The target's entry of that path and size, if there may be one. */
export type Present = (entry: ManifestEntry) => Promise<ManifestEntry | undefined>;

/** A list whose range holds far more than its own entries is cheaper asked one by one. */
const LISTED_PER_ENTRY = 4;
const LISTED_AT_LEAST = 2_000;

export async function findPresent(target: Endpoint, entries: readonly ManifestEntry[], signal: AbortSignal | undefined): Promise<Present> {
  const ask: Present = (entry) => target.stat(entry.path, signal).then((held) => (held?.bytes === entry.bytes ? held : undefined));
  const sizes = await listRange(target, entries, signal).catch((error: unknown) => {
    // Such as a link in one entry's way: let that entry fail by itself.
    if (isFatal(error)) return undefined;
    throw error;
  });
  if (!sizes) return ask;
  return async (entry) => (sizes.get(entry.path) === entry.bytes ? ask(entry) : undefined);
}

async function listRange(target: Endpoint, entries: readonly ManifestEntry[], signal: AbortSignal | undefined): Promise<Map<string, number> | undefined> {
  const paths = entries.map((entry) => Buffer.from(entry.path)).sort(Buffer.compare);
  const [first, last] = [paths[0], paths.at(-1)];
  if (!first || !last) return new Map();
  const wanted = new Set(entries.map((entry) => entry.path));
  const sizes = new Map<string, number>();
  let allowance = Math.max(LISTED_AT_LEAST, LISTED_PER_ENTRY * entries.length);
  // A listing starts behind a path, so the first one is asked for by itself.
  const held = await target.stat(first.toString(), signal);
  if (held) sizes.set(held.path, held.bytes);
  for (let after: string | undefined = first.toString(); after !== undefined; ) {
    const page: EntryPage = await target.list({ after, ...(signal ? { signal } : {}) });
    for (const entry of page.entries) if (wanted.has(entry.path)) sizes.set(entry.path, entry.bytes);
    allowance -= page.entries.length;
    if (page.next === undefined || Buffer.compare(Buffer.from(page.next), last) >= 0) return sizes;
    if (allowance <= 0) return undefined;
    after = page.next;
  }
  return sizes;
}

interface Ends {
  readonly source: Endpoint;
  readonly target: Endpoint;
  readonly limiter?: RateLimiter;
  readonly signal?: AbortSignal;
}

/** Same size is known. Same content is known by CRC32C, or by another checksum that both ends have on record; where there is none, by reading; reading is cheaper than writing again. */
export async function isIdentical(ends: Ends, entry: ManifestEntry, held: ManifestEntry): Promise<ManifestEntry | undefined> {
  if (entry.linkTarget !== held.linkTarget) return undefined;
  if (isDirectory(entry.path) || entry.linkTarget !== undefined) return { ...held, modifiedAt: entry.modifiedAt };
  const known = entry.crc32c === undefined ? await knownAtSource(ends, entry) : entry;
  const isComparable = known?.crc32c === undefined && known?.foreign !== undefined && known.foreign.algorithm === held.foreign?.algorithm;
  if (isComparable) return known.foreign?.value === held.foreign?.value ? { ...held, modifiedAt: entry.modifiedAt } : undefined;
  const wanted = known?.crc32c ?? (await readCrc32c(await ends.source.open(entry, openOptions(ends)), readOptions(ends)));
  const found = held.crc32c ?? (await readCrc32c(await ends.target.open(held, openOptions(ends)), readOptions(ends)));
  return wanted === found ? { ...held, modifiedAt: entry.modifiedAt, crc32c: found } : undefined;
}

async function knownAtSource({ source, signal }: Ends, entry: ManifestEntry): Promise<ManifestEntry | undefined> {
  const now = await source.stat(entry.path, signal);
  return now?.etag === entry.etag ? now : undefined;
}

/** Whoever asks is in patient hands already, whose window must not be waited for from within. */
const readOptions = ({ limiter, signal }: Ends) => ({ limiter, signal });
const openOptions = ({ signal }: Ends) => (signal ? { signal } : {});
