/** A large entry, whose shares many workers move: what each of them asks and begins alike, and how their shares become one whole. */
import { engineOf } from '../datapath/transfer/copy.ts';
import type { CreateOptions, EntryReader, EntryWriter, PartReceipt } from '../datapath/transfer/endpoint.ts';
import { unitsOf } from '../datapath/transfer/manifest-format.ts';
import { readManifestIndex, readManifestPage } from '../datapath/transfer/manifest-store.ts';
import type { EntryResult, LargeRecords, ShareRecord } from '../datapath/transfer/move-records.ts';
import { causeOf, SourceFailure } from '../datapath/transfer/source-failure.ts';
import { wholeChecksum } from '../datapath/transfer/whole-checksum.ts';
import { type ErrorType, isType, PenstockError } from '../model/errors.ts';
import type { ManifestEntry } from '../model/manifest.ts';
import type { MoveRequest } from '../model/transfer.ts';
import type { Run } from './effect.ts';
import type { Mover } from './move-unit.ts';

/** Where a large entry stands in the manifest. */
export interface LargePlace {
  readonly page: number;
  readonly index: number;
}

export async function largeEntry({ stores, run }: Mover, { manifest }: MoveRequest, { page, index }: LargePlace): Promise<ManifestEntry> {
  const entry = (await readManifestPage(stores.warm, manifest, page, run.signal))[index];
  if (entry) return entry;
  throw new PenstockError('InvalidInput', `Page ${page} of ${manifest.prefix} has no entry ${index}.`);
}

export async function sharesOf({ stores }: Mover, { manifest }: MoveRequest, { page, index }: LargePlace): Promise<number> {
  const units = unitsOf(await readManifestIndex(stores.warm, manifest));
  return units.filter((unit) => unit.kind === 'share' && unit.page === page && unit.index === index).length;
}

/** Only by what both ends have on record: to read hundreds of gigabytes is no cheaper than to move them. */
export async function isThere({ source, target, run }: Pick<Mover, 'source' | 'target' | 'run'>, entry: ManifestEntry): Promise<ManifestEntry | undefined> {
  const held = await target.stat(entry.path, run.signal);
  if (!held || held.bytes !== entry.bytes || held.crc32c === undefined) return undefined;
  const now = await source.stat(entry.path, run.signal);
  const wanted = entry.crc32c ?? (now?.etag === entry.etag ? now.crc32c : undefined);
  return wanted === held.crc32c ? { ...held, modifiedAt: entry.modifiedAt } : undefined;
}

export async function createOptions(request: MoveRequest, reader: EntryReader, run: Run): Promise<CreateOptions> {
  return {
    attempt: run.attempt,
    source: reader,
    replace: request.replace,
    signal: run.signal,
    ...(request.attributes ? { attributes: await reader.attributes() } : {}),
    ...(request.retention ? { retention: request.retention } : {}),
  };
}

export interface Sealing {
  readonly records: LargeRecords;
  readonly entry: ManifestEntry;
  /** All of them. */
  readonly shares: readonly ShareRecord[];
}

/**
 * Publishes what the shares made; several workers may, at once or one after the other: whoever is too late finds equal content, or leaves it to the other. Undefined where the
 * shares make no whole: another version, damage, a lost session, or an entry that one request writes, which only who sends it can seal.
 */
export async function seal(mover: Mover, request: MoveRequest, { records, entry, shares }: Sealing): Promise<EntryResult | undefined> {
  const { source, target, run, limiter } = mover;
  const receipts = shares.flatMap((share) => ('parts' in share ? share.parts.map(toReceipt) : []));
  if (receipts.reduce((sum, { bytes }) => sum + bytes, 0) !== entry.bytes) return undefined;
  const { session } = await records.session(
    () => Promise.reject(new PenstockError('CorruptSource', `${entry.path} has parts and no session.`)),
    async () => {},
  );
  if (session === '') return undefined;
  const { patience } = engineOf({ concurrency: 1, signal: run.signal });
  let reader: EntryReader | undefined;
  let writer: EntryWriter | undefined;
  try {
    const opened = await source.open(entry, { signal: run.signal });
    reader = opened;
    const options = { ...(await createOptions(request, opened, run)), session };
    const resumed = await patience.run(() => target.create(entry, options), run.signal);
    writer = resumed;
    const crc32c = await wholeChecksum({ source, patience, signal: run.signal, ...(limiter ? { limiter } : {}) }, opened, receipts);
    const sealed = await patience.run(() => resumed.seal(receipts, crc32c, run.signal), run.signal);
    return { entry: await sealed.published };
  } catch (error) {
    const cause = causeOf(error);
    const isUnreadable = error instanceof SourceFailure && isType(cause, 'IoError');
    if (!isUnreadable && !(cause instanceof PenstockError && NO_WHOLE.has(cause.type))) throw cause;
    return undefined;
  } finally {
    await writer?.close();
    await reader?.close();
  }
}

/** With these the shares make no whole, or not here; every other error is for waiting, or for the activity to be tried again. */
const NO_WHOLE: ReadonlySet<ErrorType> = new Set<ErrorType>([
  'SessionLost',
  'SourceChanged',
  'ChecksumMismatch',
  'NotFound',
  'Conflict',
  'Denied',
  'InvalidInput',
]);

const toReceipt = ({ number, bytes, crc32c, etag, foreign }: ShareParts[number]): PartReceipt => ({
  number,
  bytes,
  crc32c,
  ...(etag === undefined ? {} : { etag }),
  ...(foreign ? { foreign } : {}),
});
type ShareParts = Extract<ShareRecord, { parts: unknown }>['parts'];
