/** One unit of a move: pages of a manifest, or a share of a large entry. */
import { copyEntries, engineOf } from '../datapath/transfer/copy.ts';
import type { CreateOptions, Endpoint, EntryReader } from '../datapath/transfer/endpoint.ts';
import { toFailedEntry } from '../datapath/transfer/failed-entry.ts';
import { unitsOf } from '../datapath/transfer/manifest-format.ts';
import { readManifestIndex, readManifestPage } from '../datapath/transfer/manifest-store.ts';
import { moveParts, partCount } from '../datapath/transfer/move-parts.ts';
import { findMovedPage, largeRecords, readFailures, recordMovedPage, type ShareRecord } from '../datapath/transfer/move-records.ts';
import type { RateLimiter } from '../datapath/transfer/rate-limiter.ts';
import { causeOf } from '../datapath/transfer/source-failure.ts';
import type { Stores } from '../drivers/open-site.ts';
import { PenstockError } from '../model/errors.ts';
import type { FailedEntry, ManifestEntry, ManifestRef, Progress } from '../model/manifest.ts';
import type { MoveRequest, UnitAnswer } from '../model/transfer.ts';
import { partsOfShare, type Unit } from '../model/transfer-plan.ts';
import type { Run } from './effect.ts';
import { placeOf } from './manifests.ts';

/** Small entries on their way at once: what a store answers in parallel hides what each waits for. */
export const FILES_AT_ONCE = 32;
const FAILED_SHOWN = 20;
const SHOWN_CHARACTERS = 400;

/** What a unit needs beside its request. */
export interface Mover {
  readonly stores: Stores;
  readonly source: Endpoint;
  readonly target: Endpoint;
  readonly limiter: RateLimiter | undefined;
  readonly run: Run;
  /** How far this unit is, at most four times a second. */
  readonly onProgress: (progress: Pick<Progress, 'doneFiles' | 'doneBytes' | 'bytesPerSecond'>) => void;
}

export async function unitOf(stores: Stores, manifest: ManifestRef, number: number): Promise<Unit> {
  const unit = unitsOf(await readManifestIndex(stores.warm, manifest))[number];
  if (unit) return unit;
  throw new PenstockError('InvalidInput', `The manifest ${manifest.prefix} has no unit ${number}.`, { store: manifest.store });
}

export async function moveUnit(mover: Mover, request: MoveRequest, unit: Unit): Promise<UnitAnswer> {
  return unit.kind === 'pages' ? await movePages(mover, request, unit.fromPage, unit.toPage) : await moveShare(mover, request, unit);
}

/** Page by page, each with a record of its own, so that a repeat goes on where this attempt was lost. */
export async function movePages(mover: Mover, request: MoveRequest, fromPage: number, toPage: number): Promise<UnitAnswer> {
  let answer: UnitAnswer = { files: 0, bytes: 0, failedCount: 0, failed: [] };
  for (let page = fromPage; page < toPage; page += 1) answer = add(answer, await movePage(mover, request, page, answer));
  return answer;
}

export const add = (one: UnitAnswer, other: UnitAnswer): UnitAnswer => ({
  files: one.files + other.files,
  bytes: one.bytes + other.bytes,
  failedCount: one.failedCount + other.failedCount,
  failed: [...one.failed, ...other.failed].slice(0, FAILED_SHOWN),
});

async function movePage(mover: Mover, request: MoveRequest, page: number, before: UnitAnswer): Promise<UnitAnswer> {
  const { stores, source, target, limiter, run } = mover;
  const { manifest } = request;
  const place = placeOf(stores, manifest);
  const known = await findMovedPage(place, page);
  const recorded =
    known ??
    (await (async () => {
      const all = await readManifestPage(stores.warm, manifest, page, run.signal);
      const large = new Set((await readManifestIndex(stores.warm, manifest)).pages[page]?.large?.map(({ index }) => index));
      const result = await copyEntries({
        source,
        target,
        entries: all.filter((_, index) => !large.has(index)),
        attempt: run.attempt,
        superseded: run.superseded,
        concurrency: FILES_AT_ONCE,
        signal: run.signal,
        replace: request.replace,
        attributes: request.attributes ?? false,
        onProgress: ({ doneFiles, doneBytes, bytesPerSecond }) =>
          mover.onProgress({ doneFiles: before.files + doneFiles, doneBytes: before.bytes + doneBytes, bytesPerSecond }),
        ...(limiter ? { limiter } : {}),
        ...(request.retention ? { retention: request.retention } : {}),
      });
      return await recordMovedPage(place, page, result.done, result.failed);
    })());
  return {
    files: recorded.facts?.files ?? 0,
    bytes: recorded.facts?.bytes ?? 0,
    failedCount: recorded.failed,
    failed: recorded.failed > 0 ? shown(await readFailures(place, page)) : [],
  };
}

/** The first few, cut short: an answer stays below 64 KiB whatever names there are. The whole list lies beside the manifest. */
export const shown = (failed: readonly FailedEntry[]): FailedEntry[] =>
  failed.slice(0, FAILED_SHOWN).map(({ path, type, message }) => ({ path: cut(path), type, message: cut(message) }));
const cut = (text: string): string => (text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS)}…` : text);

type Share = Extract<Unit, { kind: 'share' }>;

async function moveShare(mover: Mover, request: MoveRequest, unit: Share): Promise<UnitAnswer> {
  const { stores, run } = mover;
  const records = largeRecords(placeOf(stores, request.manifest), unit.page, unit.index);
  const known = await records.findShare(unit.share);
  if (!known) {
    const entry = (await readManifestPage(stores.warm, request.manifest, unit.page, run.signal))[unit.index];
    if (!entry) throw new PenstockError('InvalidInput', `Page ${unit.page} of ${request.manifest.prefix} has no entry ${unit.index}.`);
    await records.recordShare(unit.share, await partsOf(mover, request, unit, entry));
  }
  const share = known ?? (await records.findShare(unit.share));
  // A share that failed is tried once more, as a whole entry, by the finish; only that counts.
  const parts = share && 'parts' in share ? share.parts : [];
  return { files: 0, bytes: parts.reduce((sum, part) => sum + part.bytes, 0), failedCount: 0, failed: [] };
}

async function partsOf(mover: Mover, request: MoveRequest, unit: Share, entry: ManifestEntry): Promise<ShareRecord> {
  const { source, target, run, limiter } = mover;
  const records = largeRecords(placeOf(mover.stores, request.manifest), unit.page, unit.index);
  try {
    if (await isThere(mover, entry)) return { parts: [] };
    const reader = await source.open(entry, { signal: run.signal });
    try {
      const options = await createOptions(request, reader, run);
      const { session } = await records.session(
        async () => {
          const begun = await target.create(entry, options);
          await begun.close();
          return { session: begun.session, etag: entry.etag };
        },
        async (unused) => (await target.create(entry, { ...options, session: unused })).abandon(),
      );
      const writer = await target.create(entry, { ...options, session });
      try {
        let doneBytes = 0;
        const began = Date.now();
        const engine = engineOf({ concurrency: 1, signal: run.signal, ...(limiter ? { limiter } : {}) });
        const receipts = await moveParts(
          {
            ...engine,
            onBytes(bytes) {
              doneBytes += bytes;
              mover.onProgress({ doneFiles: 0, doneBytes, bytesPerSecond: Math.round((doneBytes * 1000) / Math.max(1, Date.now() - began)) });
            },
          },
          reader,
          writer,
          partsOfShare(partCount(entry.bytes, writer.partBytes), unit.share, unit.shares),
        );
        return { parts: receipts.map(({ number, bytes, crc32c, etag }) => ({ number, bytes, ...(crc32c ? { crc32c } : {}), ...(etag ? { etag } : {}) })) };
      } finally {
        await writer.close();
      }
    } finally {
      await reader.close();
    }
  } catch (error) {
    return { failed: failureOf(entry, error) };
  }
}

/** What only this entry suffers from. @throws every other error, for the activity to be tried again */
function failureOf(entry: ManifestEntry, error: unknown): FailedEntry {
  const cause = causeOf(error);
  if (cause instanceof PenstockError && cause.type === 'SessionLost') return { path: entry.path, type: cause.type, message: cause.message };
  return toFailedEntry(entry, cause);
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
