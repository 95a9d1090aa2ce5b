/** The end of a move: large entries that are not yet published are; what arrived becomes a manifest of its own. */

import { copyEntries } from '../datapath/transfer/copy.ts';
import { inLanes } from '../datapath/transfer/lanes.ts';
import { type PageFacts, six } from '../datapath/transfer/manifest-format.ts';
import { writePage } from '../datapath/transfer/manifest-page.ts';
import { commitIndex, findManifest, readManifestIndex } from '../datapath/transfer/manifest-store.ts';
import { type EntryResult, findMovedPage, largeRecords, readFailures, readMovedPage, recordFailures } from '../datapath/transfer/move-records.ts';
import { byBytes } from '../drivers/pages.ts';
import { PenstockError } from '../model/errors.ts';
import type { FailedEntry, ManifestEntry } from '../model/manifest.ts';
import { addAnswers, type MoveAnswer, type MoveRequest, nothingMoved } from '../model/transfer.ts';
import { abandonLarge } from './abandon-move.ts';
import { isThere, largeEntry, seal, sharesOf } from './large-entry.ts';
import { movedManifestPlace, placeOf } from './manifests.ts';
import { type Mover, shown } from './move-unit.ts';

/** Large entries sealed at once: each is a request that may be quiet for minutes. */
const SEALED_AT_ONCE = 4;
const PAGES_AT_ONCE = 8;

export async function finishMove(mover: Mover, request: MoveRequest): Promise<MoveAnswer> {
  const place = movedManifestPlace(mover.stores, request.manifest);
  const { pages } = await readManifestIndex(mover.stores.warm, request.manifest);
  const arrived: (PageFacts | undefined)[] = pages.map(() => undefined);
  let total = nothingMoved;
  const count = (failed: readonly FailedEntry[], failedCount: number): void => {
    total = addAnswers(total, { ...nothingMoved, failedCount, failed: shown(failed) });
  };
  for (const [page, { large = [] }] of pages.entries()) {
    if (large.length === 0) continue;
    const sealed: EntryResult[] = large.map(() => ({ failed: { path: '', type: '', message: '' } }));
    await inLanes(large.entries(), SEALED_AT_ONCE, async ([position, { index }]) => {
      sealed[position] = await finishLarge(mover, request, page, index);
    });
    const failed = sealed.flatMap((each) => ('failed' in each ? [each.failed] : []));
    count(failed, failed.length);
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
    count(await readFailures(placeOf(mover.stores, request.manifest), page), moved.failed);
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
  const entries = [...small, ...large].sort((one, other) => byBytes(one.path, other.path));
  return await writePage(movedManifestPlace(mover.stores, request.manifest), `${six(page)}-whole`, entries, { signal: mover.run.signal });
}

/** Mostly published by whoever moved its last share; else here. */
async function finishLarge(mover: Mover, request: MoveRequest, page: number, index: number): Promise<EntryResult> {
  const { stores, run } = mover;
  const records = largeRecords(placeOf(stores, request.manifest), page, index);
  const known = await records.findEntry();
  if (known) return known;
  const entry = await largeEntry(mover, request, { page, index });
  const there = await isThere(mover, entry);
  if (there && request.retention) await mover.target.retain?.(entry.path, request.retention, run.signal);
  const shares = there ? undefined : await records.findShares(await sharesOf(mover, request, { page, index }));
  const sealed = there ? { entry: there } : shares && (await seal(mover, request, { records, entry, shares }));
  // Nobody else is at it any more, and what is moved anew may need the room.
  if (!sealed || there) await abandonLarge(mover, records, async () => entry);
  await records.recordEntry(sealed ?? (await moveAgain(mover, request, entry)));
  const recorded = await records.findEntry();
  if (!recorded)
    throw new PenstockError('StoreUnavailable', `The record of ${JSON.stringify(entry.path)} was written and is not there.`, { store: stores.warm.name });
  return recorded;
}

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
