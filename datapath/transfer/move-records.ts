/**
 * What is on record of a move, beside its manifest: for each page what arrived, once, and what did not; for each share of a large entry its parts. Records are written once
 * (If-None-Match), so a repeated or zombie attempt finds the first one's and neither moves nor counts twice.
 *
 *   {prefix}moved/{page, 6 digits}.jsonl.zst      entries as they lie at the target; metadata: sha256, files, bytes, failed
 *   {prefix}failed/{page}.json                    what could not be moved, with reasons
 *   {prefix}moved/large/{page}-{index}/...        session.json, share-{n}.json; entry.json once it is published, or cannot be moved
 *   {prefix}moved/index.json                      the end: a manifest of all that arrived
 */
import * as z from 'zod';
import { absent, isType, PenstockError } from '../../model/errors.ts';
import type { FailedEntry, ManifestEntry, ManifestRef } from '../../model/manifest.ts';
import { FOREIGN_ALGORITHMS } from './foreign-checksum.ts';
import { ManifestEntrySchema, type PageFacts, pageKey, six, withoutUndefined } from './manifest-format.ts';
import { type PagePlace, packPage, readPage } from './manifest-page.ts';

/** A page that has been moved as far as it can be. */
export interface MovedPage {
  readonly facts: PageFacts | undefined;
  readonly failed: number;
}

const movedPlace = (place: PagePlace): PagePlace => ({ ...place, prefix: `${place.prefix}moved/` });

/** Undefined while the page has not been moved. */
export async function findMovedPage(place: PagePlace, page: number): Promise<MovedPage | undefined> {
  const moved = movedPlace(place);
  const found = await moved.store.head(moved.bucket, pageKey(moved.prefix, six(page)));
  if (!found) return undefined;
  const { sha256 = '', files = '0', bytes = '0', failed = '0' } = found.metadata;
  const facts = { name: six(page), sha256, files: Number(files), bytes: Number(bytes) };
  return { facts: facts.files > 0 ? facts : undefined, failed: Number(failed) };
}

/** The failures first: the page's own record is what says that it is done. @returns what is on record, which may be another attempt's */
export async function recordMovedPage(place: PagePlace, page: number, entries: readonly ManifestEntry[], failed: readonly FailedEntry[]): Promise<MovedPage> {
  const moved = movedPlace(place);
  if (failed.length > 0) await recordFailures(place, page, failed);
  const { facts, body } = await packPage(entries, Number.POSITIVE_INFINITY);
  const metadata = { sha256: facts.sha256, files: String(facts.files), bytes: String(facts.bytes), failed: String(failed.length) };
  await moved.store
    .writeBytes(moved.bucket, pageKey(moved.prefix, six(page)), body, { ifNoneMatch: true, contentType: 'application/zstd', metadata })
    .catch(ignoreConflict);
  const found = await findMovedPage(place, page);
  if (!found)
    throw new PenstockError('StoreUnavailable', `The record of page ${page} below ${moved.prefix} was written and is not there.`, { store: place.store.name });
  return found;
}

export async function recordFailures(place: PagePlace, page: number | string, failed: readonly FailedEntry[]): Promise<void> {
  await place.store.writeBytes(place.bucket, failedKey(place.prefix, page), Buffer.from(JSON.stringify(failed)), JSON_CONTENT);
}

const failedKey = (prefix: string, page: number | string): string => `${prefix}failed/${page}.json`;

export function readMovedPage(place: PagePlace, ref: ManifestRef, page: number, sha256: string): Promise<ManifestEntry[]> {
  const moved = movedPlace(place);
  return readPage(moved.store, { ...ref, prefix: moved.prefix }, pageKey(moved.prefix, six(page)), sha256);
}

/** @param page its number, or the name that `recordFailures` was given */
export async function readFailures(place: PagePlace, page: number | string): Promise<FailedEntry[]> {
  const key = failedKey(place.prefix, page);
  return parseRecord(place, key, await place.store.readBytes(place.bucket, key, { limitBytes: MAX_RECORD_BYTES }), FailedSchema);
}

const FailureSchema = z.strictObject({ path: z.string(), type: z.string(), message: z.string() });
const FailedSchema = z.array(FailureSchema);
const SessionSchema = z.strictObject({ session: z.string(), etag: z.string() });
const ShareSchema = z.union([
  z.strictObject({
    parts: z.array(
      z.strictObject({
        number: z.int(),
        bytes: z.int(),
        crc32c: z.string().optional(),
        etag: z.string().optional(),
        foreign: z.strictObject({ algorithm: z.enum(FOREIGN_ALGORITHMS), value: z.string() }).optional(),
      }),
    ),
  }),
  z.strictObject({ failed: FailureSchema }),
]);
const EntryResultSchema = z.union([z.strictObject({ entry: ManifestEntrySchema.transform(withoutUndefined) }), z.strictObject({ failed: FailureSchema })]);

export type LargeSession = z.output<typeof SessionSchema>;
export type ShareRecord = z.output<typeof ShareSchema>;
export type EntryResult = z.output<typeof EntryResultSchema>;

/** 10,000 parts at 100 bytes. */
const MAX_RECORD_BYTES = 16 * 2 ** 20;
const JSON_CONTENT = { contentType: 'application/json' } as const;

export interface LargeRecords {
  /** The first worker's session is everybody's. @returns the one on record, and whether it is this worker's */
  session(begin: () => Promise<LargeSession>, abandon: (session: string) => Promise<void>): Promise<LargeSession & { readonly isMine: boolean }>;
  findSession(): Promise<LargeSession | undefined>;
  findShare(share: number): Promise<ShareRecord | undefined>;
  /** All of so many, in order; undefined while one is missing. */
  findShares(count: number): Promise<ShareRecord[] | undefined>;
  recordShare(share: number, record: ShareRecord): Promise<void>;
  findEntry(): Promise<EntryResult | undefined>;
  recordEntry(result: EntryResult): Promise<void>;
}

export function largeRecords(place: PagePlace, page: number, index: number): LargeRecords {
  const prefix = `${movedPlace(place).prefix}large/${page}-${index}/`;
  const find = async <T>(name: string, schema: z.ZodType<T>): Promise<T | undefined> => {
    const body = await place.store.readBytes(place.bucket, `${prefix}${name}`, { limitBytes: MAX_RECORD_BYTES }).catch(absent);
    return body && parseRecord(place, `${prefix}${name}`, body, schema);
  };
  const record = async (name: string, value: unknown): Promise<void> => {
    await place.store
      .writeBytes(place.bucket, `${prefix}${name}`, Buffer.from(JSON.stringify(value)), { ifNoneMatch: true, ...JSON_CONTENT })
      .catch(ignoreConflict);
  };
  const findSession = (): Promise<LargeSession | undefined> => find('session.json', SessionSchema);
  const findShare = (share: number): Promise<ShareRecord | undefined> => find(`share-${share}.json`, ShareSchema);
  return {
    async session(begin, abandon) {
      const known = await findSession();
      if (known) return { ...known, isMine: false };
      const mine = await begin();
      await record('session.json', mine);
      const agreed = (await findSession()) ?? mine;
      const isMine = agreed.session === mine.session;
      if (!isMine) await abandon(mine.session);
      return { ...agreed, isMine };
    },
    findSession,
    findShare,
    async findShares(count) {
      const shares: ShareRecord[] = [];
      // Begun in order, the last one is missing the longest: most askers read no more than that.
      for (let share = count - 1; share >= 0; share -= 1) {
        const found = await findShare(share);
        if (!found) return undefined;
        shares.push(found);
      }
      return shares.toReversed();
    },
    recordShare: (share, value) => record(`share-${share}.json`, value),
    findEntry: () => find('entry.json', EntryResultSchema),
    recordEntry: (result) => record('entry.json', result),
  };
}

/** @throws CorruptSource: to try again would read the same */
function parseRecord<T>({ store, bucket }: PagePlace, key: string, body: Buffer, schema: z.ZodType<T>): T {
  try {
    return schema.parse(JSON.parse(body.toString()));
  } catch (error) {
    throw new PenstockError('CorruptSource', `s3://${bucket}/${key} is no record of a move.`, {
      store: store.name,
      cause: error,
      nextStep: 'Run the transfer again.',
    });
  }
}

function ignoreConflict(error: unknown): undefined {
  if (isType(error, 'Conflict')) return undefined;
  throw error;
}
