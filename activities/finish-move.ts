/** The end of a move: large entries, whose shares many workers moved, are published; what arrived becomes a manifest of its own. */

import { copyEntries, engineOf } from '../datapath/transfer/copy.ts';
import { wholeChecksum } from '../datapath/transfer/copy-entry.ts';
import type { EntryReader, EntryWriter, PartReceipt } from '../datapath/transfer/endpoint.ts';
import { inLanes } from '../datapath/transfer/lanes.ts';
import { type PageFacts, six, unitsOf } from '../datapath/transfer/manifest-format.ts';
import { writePage } from '../datapath/transfer/manifest-page.ts';
import { commitIndex, findManifest, readManifestIndex, readManifestPage } from '../datapath/transfer/manifest-store.ts';
import {
  type EntryResult,
  findMovedPage,
  type LargeRecords,
  largeRecords,
  readFailures,
  readMovedPage,
  recordFailures,
  type ShareRecord,
} from '../datapath/transfer/move-records.ts';
import { causeOf } from '../datapath/transfer/source-failure.ts';
import { type ErrorType, PenstockError } from '../model/errors.ts';
import type { FailedEntry, ManifestEntry } from '../model/manifest.ts';
import type { MoveAnswer, MoveRequest } from '../model/transfer.ts';
import { movedManifestPlace, placeOf } from './manifests.ts';
import { createOptions, isThere, type Mover, shown } from './move-unit.ts';

/** Large entries sealed at once: each is a request that may be quiet for minutes. */
const SEALED_AT_ONCE = 4;
const PAGES_AT_ONCE = 8;
const FAILED_SHOWN = 20;

export async function finishMove(mover: Mover, request: MoveRequest): Promise<MoveAnswer> {
  const place = movedManifestPlace(mover.stores, request.manifest);
  const { pages } = await readManifestIndex(mover.stores.warm, request.manifest);
  const arrived: (PageFacts | undefined)[] = pages.map(() => undefined);
  let total = { files: 0, bytes: 0, failedCount: 0, failed: [] as readonly FailedEntry[] };
  for (const [page, { large = [] }] of pages.entries()) {
    if (large.length === 0) continue;
    const sealed: EntryResult[] = large.map(() => ({ failed: { path: '', type: '', message: '' } }));
    await inLanes(large.entries(), SEALED_AT_ONCE, async ([position, { index }]) => {
      sealed[position] = await finishLarge(mover, request, page, index);
    });
    const failed = sealed.flatMap((each) => ('failed' in each ? [each.failed] : []));
    total = { ...total, failedCount: total.failedCount + failed.length, failed: [...total.failed, ...shown(failed)].slice(0, FAILED_SHOWN) };
    if (failed.length > 0) await recordFailures(placeOf(mover.stores, request.manifest), `${page}-large`, failed);
    arrived[page] = await mergePage(
      mover,
      request,
      page,
      sealed.flatMap((each) => ('entry' in each ? [each.entry] : [])),
    );
  }
  await inLanes(pages.keys(), PAGES_AT_ONCE, async (page) => {
    const moved = await movedPage(mover, request, page);
    arrived[page] ??= moved.facts;
    if (moved.failed === 0) return;
    const failed = await readFailures(placeOf(mover.stores, request.manifest), page);
    total = { ...total, failedCount: total.failedCount + moved.failed, failed: [...total.failed, ...shown(failed)].slice(0, FAILED_SHOWN) };
  });
  const moved = (await findManifest(place)) ?? (await commitIndex(place, { pages: arrived.filter((facts) => facts !== undefined) }, mover.run.signal));
  return { ...total, files: moved.files, bytes: moved.bytes, moved };
}

async function movedPage(mover: Mover, request: MoveRequest, page: number) {
  const found = await findMovedPage(placeOf(mover.stores, request.manifest), page);
  if (found) return found;
  throw new PenstockError('CorruptSource', `Page ${page} of ${request.manifest.prefix} has no record of its move.`, {
    store: request.manifest.store,
    nextStep: 'Run the transfer again.',
  });
}

/** A page's small entries and its large ones, in order, as one page. @returns undefined where nothing of it arrived */
async function mergePage(mover: Mover, request: MoveRequest, page: number, large: readonly ManifestEntry[]): Promise<PageFacts | undefined> {
  const { facts } = await movedPage(mover, request, page);
  if (large.length === 0) return facts;
  const place = placeOf(mover.stores, request.manifest);
  const small = facts ? await readMovedPage(place, request.manifest, page, facts.sha256) : [];
  const entries = [...small, ...large].sort((one, other) => Buffer.compare(Buffer.from(one.path), Buffer.from(other.path)));
  return await writePage(movedManifestPlace(mover.stores, request.manifest), `${six(page)}-whole`, entries, { signal: mover.run.signal });
}

async function finishLarge(mover: Mover, request: MoveRequest, page: number, index: number): Promise<EntryResult> {
  const { stores, run } = mover;
  const records = largeRecords(placeOf(stores, request.manifest), page, index);
  const known = await records.findEntry();
  if (known) return known;
  const entry = (await readManifestPage(stores.warm, request.manifest, page, run.signal))[index];
  if (!entry) throw new PenstockError('InvalidInput', `Page ${page} of ${request.manifest.prefix} has no entry ${index}.`);
  const there = await isThere(mover, entry);
  if (there && request.retention) await mover.target.retain?.(entry.path, request.retention, run.signal);
  const shares = await sharesOf(mover, request, records, page, index);
  await records.recordEntry(there ? { entry: there } : ((await seal(mover, request, records, entry, shares)) ?? (await moveAgain(mover, request, entry))));
  const recorded = await records.findEntry();
  if (!recorded)
    throw new PenstockError('StoreUnavailable', `The record of ${JSON.stringify(entry.path)} was written and is not there.`, { store: stores.warm.name });
  return recorded;
}

async function sharesOf(mover: Mover, request: MoveRequest, records: LargeRecords, page: number, index: number): Promise<ShareRecord[]> {
  const units = unitsOf(await readManifestIndex(mover.stores.warm, request.manifest));
  const shares = units.flatMap((unit) => (unit.kind === 'share' && unit.page === page && unit.index === index ? [unit.share] : []));
  return await Promise.all(shares.map(async (share) => (await records.findShare(share)) ?? { parts: [] }));
}

/** Undefined where its shares do not make a whole: another version, damage, a lost session. */
async function seal(
  mover: Mover,
  request: MoveRequest,
  records: LargeRecords,
  entry: ManifestEntry,
  shares: readonly ShareRecord[],
): Promise<EntryResult | undefined> {
  const { source, target, run } = mover;
  const receipts = shares.flatMap((share) => ('parts' in share ? share.parts.map(toReceipt) : []));
  if (receipts.reduce((sum, { bytes }) => sum + bytes, 0) !== entry.bytes) return undefined;
  const { session } = await records.session(
    () => Promise.reject(new PenstockError('CorruptSource', `${entry.path} has parts and no session.`)),
    async () => {},
  );
  const { patience } = engineOf({ concurrency: 1, signal: run.signal });
  let reader: EntryReader | undefined;
  let writer: EntryWriter | undefined;
  try {
    const opened = await source.open(entry, { signal: run.signal });
    reader = opened;
    const options = { ...(await createOptions(request, opened, run)), session };
    const resumed = await patience.run(() => target.create(entry, options), run.signal);
    writer = resumed;
    const sealed = await patience.run(async () => {
      const crc32c = await wholeChecksum({ source, signal: run.signal }, opened, receipts);
      return await resumed.seal(receipts, crc32c, run.signal);
    }, run.signal);
    return { entry: await sealed.published };
  } catch (error) {
    const cause = causeOf(error);
    if (!(cause instanceof PenstockError) || !NO_WHOLE.has(cause.type)) throw cause;
    await writer?.abandon();
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

/** By this one worker, as any other entry: slower, but it follows a source that changed and tells what is wrong with it. */
async function moveAgain({ source, target, run, limiter }: Mover, request: MoveRequest, entry: ManifestEntry): Promise<EntryResult> {
  const { done, failed } = await copyEntries({
    source,
    target,
    entries: [entry],
    attempt: run.attempt,
    superseded: run.superseded,
    concurrency: 1,
    signal: run.signal,
    replace: request.replace,
    attributes: request.attributes ?? false,
    ...(limiter ? { limiter } : {}),
    ...(request.retention ? { retention: request.retention } : {}),
  });
  const [arrived] = done;
  const [failure] = failed;
  if (arrived) return { entry: arrived };
  if (failure) return { failed: failure };
  throw new PenstockError('StoreUnavailable', `${JSON.stringify(entry.path)} was neither moved nor refused.`);
}

const toReceipt = ({
  number,
  bytes,
  crc32c,
  etag,
}: {
  number: number;
  bytes: number;
  crc32c?: string | undefined;
  etag?: string | undefined;
}): PartReceipt => ({
  number,
  bytes,
  crc32c,
  ...(etag === undefined ? {} : { etag }),
});
