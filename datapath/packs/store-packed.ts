/**
 * Stores a list of entries in few large objects: small ones share archive packs, the others are copied as they are. A repeat finds the packs of the attempt before by their names,
 * which follow from what is in them.
 */
import { createHash } from 'node:crypto';
import type { WrittenObject } from '../../drivers/object-store/port.ts';
import { isType, PenstockError } from '../../model/errors.ts';
import type { FailedEntry, ManifestEntry } from '../../model/manifest.ts';
import { type CopyOptions, type CopyResult, copyEntries } from '../transfer/copy.ts';
import { crc32cOf, crc32cOfStream } from '../transfer/crc32c.ts';
import { toFailedEntry } from '../transfer/failed-entry.ts';
import { isDirectory } from '../transfer/file-endpoint.ts';
import { holdAtLeast, type ObjectPlace } from '../transfer/object-endpoint.ts';
import { createProgressMeter } from '../transfer/progress.ts';
import { wholeChecksum } from '../transfer/whole-checksum.ts';
import { END_BYTES, INDEX_NAME, layOut, type MemberFacts, overheadOf, type PlacedMember } from './archive-pack.ts';
import { packContent } from './pack-content.ts';
import { planPacks } from './plan.ts';
import { BLOCK_BYTES } from './tar.ts';

/** Below the data set's root, where no file of a job lies. */
export const PACKS_PREFIX = '.penstock/packs/';

/** What is lost with an attempt, and read again; some seconds of a tape drive. */
const MAX_PACK_BYTES = 2 ** 30;
const MAX_MEMBERS = 10_000;
/** From this size on an object of its own is no small one. Two such members are in memory at once. */
const MEMBER_BYTES_BELOW = 16 * 2 ** 20;
/** The index's own header is three blocks, its padding less than one. */
const FIXED_BYTES = 4 * BLOCK_BYTES + END_BYTES;

export interface StorePackedOptions extends CopyOptions {
  /** The target, as an object store whose new objects are archived. */
  readonly place: ObjectPlace;
}

interface Member {
  readonly name: string;
  readonly bytes: number;
  readonly modifiedAt: string;
  readonly entry: ManifestEntry;
}

/** As `copyEntries`; an entry that cannot be read keeps those of its pack from being stored. */
export async function storePacked(options: StorePackedOptions): Promise<CopyResult> {
  const { entries, onProgress, onPublished } = options;
  const { packs } = planPacks<Member>(
    entries.filter(isPackable).map((entry): Member => ({ name: entry.path, bytes: entry.bytes, modifiedAt: entry.modifiedAt, entry })),
    {
      memberBytesBelow: MEMBER_BYTES_BELOW,
      members: MAX_MEMBERS,
      packBytes: MAX_PACK_BYTES,
      overheadOf,
      overheadBytes: MAX_PACK_BYTES,
      fixedBytes: FIXED_BYTES,
    },
  );
  const meter = createProgressMeter({ files: entries.length, bytes: entries.reduce((sum, { bytes }) => sum + bytes, 0) });
  const done = new Map<string, ManifestEntry>();
  const failed: FailedEntry[] = [];
  for (const pack of packs) {
    const stored = await storePack(options, pack);
    if ('path' in stored) {
      failed.push(stored);
      continue;
    }
    for (const entry of stored.entries) {
      done.set(entry.path, entry);
      meter.addBytes(entry.bytes);
      meter.addFile();
      onPublished?.(entry);
    }
    onProgress?.(meter.snapshot());
  }
  const before = meter.snapshot();
  const packed = new Set(packs.flat().map(({ name }) => name));
  const copied = await copyEntries({
    ...options,
    entries: entries.filter(({ path }) => !packed.has(path)),
    onProgress: ({ doneFiles, doneBytes, bytesPerSecond }) =>
      onProgress?.({ ...before, doneFiles: before.doneFiles + doneFiles, doneBytes: before.doneBytes + doneBytes, bytesPerSecond }),
  });
  for (const entry of copied.done) done.set(entry.path, entry);
  return { done: entries.flatMap(({ path }) => done.get(path) ?? []), failed: [...failed, ...copied.failed] };
}

/** Without content it may be a link, which only its attributes tell; those go as they are. */
const isPackable = ({ path, bytes, linkTarget }: ManifestEntry): boolean => bytes > 0 && linkTarget === undefined && !isDirectory(path) && path !== INDEX_NAME;

/** @returns the members as they lie there, or the one that keeps them from it */
async function storePack(options: StorePackedOptions, members: readonly Member[]): Promise<{ readonly entries: readonly ManifestEntry[] } | FailedEntry> {
  const { place, retention, signal } = options;
  const layout = layOut(members);
  const key = `${PACKS_PREFIX}${nameOf(members)}.tar`;
  const at = `${place.base}${key}`;
  const facts = new Map<PlacedMember<Member>, MemberFacts>();
  let culprit: { readonly entry: ManifestEntry; readonly error: unknown } | undefined;
  const content = () =>
    packContent(
      layout,
      async (member, into) => {
        try {
          return await readMember(options, member.entry, into);
        } catch (error) {
          culprit ??= { entry: member.entry, error };
          throw error;
        }
      },
      (member, known) => facts.set(member, known),
    );
  try {
    const write = {
      ifNoneMatch: true,
      contentType: 'application/x-tar',
      expected: { bytes: layout.packBytes },
      ...(retention ? { retention } : {}),
      ...(signal ? { signal } : {}),
    };
    const etag =
      (await findEqual(options, at, content)) ??
      (await place.store.writeStream(place.bucket, at, content(), write).then(
        (written) => proven(options, at, written),
        (error: unknown) => (isType(error, 'Conflict') ? findEqual(options, at, content) : Promise.reject(error)),
      ));
    if (etag === undefined) throw new PenstockError('StoreUnavailable', `s3://${place.bucket}/${at} was there and is gone.`, { store: place.store.name });
    return { entries: layout.members.map((member) => storedEntry(member, facts.get(member), { key, bytes: layout.packBytes, etag })) };
  } catch (error) {
    signal?.throwIfAborted();
    if (culprit) return toFailedEntry(culprit.entry, culprit.error);
    throw error;
  }
}

/** By what is in it: names, lengths and versions. The same list makes the same bytes. */
function nameOf(members: readonly Member[]): string {
  const hash = createHash('sha256');
  for (const { entry } of members) hash.update(`${JSON.stringify([entry.path, entry.bytes, entry.etag, entry.modifiedAt])}\n`);
  return hash.digest('hex').slice(0, 32);
}

/** An archived pack is not read back, and its files go next: so its store must have the checksum on record. @throws PolicyRefused where it has none, or another */
async function proven({ place, signal }: StorePackedOptions, key: string, { etag, crc32c }: WrittenObject): Promise<string> {
  const held = await place.store.head(place.bucket, key, { signal });
  if (held?.etag === etag && held.crc32c === crc32c) return etag;
  throw new PenstockError(
    'PolicyRefused',
    `s3://${place.bucket}/${key} was stored with CRC32C ${crc32c}, and the store has ${held ? (held.crc32c ?? 'none') : 'no such object'} on record.`,
    { store: place.store.name, nextStep: 'The sources are kept. What is archived can only be proven by a store that keeps checksums: run `penstock doctor`.' },
  );
}

/** Its etag where the pack lies there already. An archived one cannot be read: the sources are, and the checksums compared. @throws Conflict where it is another */
async function findEqual(
  { place, retention, signal }: StorePackedOptions,
  key: string,
  content: () => ReturnType<typeof packContent>,
): Promise<string | undefined> {
  const { store, bucket } = place;
  const held = await store.head(bucket, key, { signal });
  if (!held) return undefined;
  const wanted = await crc32cOfStream(content());
  if (held.bytes !== wanted.bytes || held.crc32c !== wanted.crc32c) {
    throw new PenstockError(
      'Conflict',
      `s3://${bucket}/${key} has ${held.bytes} bytes with CRC32C ${held.crc32c ?? 'unknown'}; ${wanted.bytes} with ${wanted.crc32c} were to be stored.`,
      { store: store.name },
    );
  }
  if (retention) await holdAtLeast(store, bucket, key, retention, signal);
  return held.etag;
}

async function readMember(options: StorePackedOptions, entry: ManifestEntry, into: Buffer): Promise<MemberFacts> {
  const { source, limiter, signal, attributes } = options;
  await limiter?.take(entry.bytes, signal);
  const reader = await source.open(entry, signal ? { signal } : {});
  try {
    const known = await reader.read(into, 0, signal);
    await reader.verify();
    const crc32c = known ?? crc32cOf(into);
    await wholeChecksum({ source, ...(limiter ? { limiter } : {}), ...(signal ? { signal } : {}) }, reader, [{ number: 0, bytes: into.length, crc32c }]);
    return { crc32c, ...(attributes ? { mode: (await reader.attributes()).mode } : {}) };
  } finally {
    await reader.close();
  }
}

function storedEntry(
  { entry, offset }: PlacedMember<Member>,
  facts: MemberFacts | undefined,
  { etag, ...pack }: { readonly key: string; readonly bytes: number; readonly etag: string },
): ManifestEntry {
  if (!facts) throw new TypeError(`${entry.path} is in a pack and was not read`);
  const { path, bytes, modifiedAt } = entry;
  const packed = { ...pack, offset, ...(facts.mode === undefined ? {} : { mode: facts.mode }) };
  return { path, bytes, modifiedAt, etag, crc32c: facts.crc32c, packed };
}
