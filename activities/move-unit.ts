/** One unit of a move: pages of a manifest, or a share of a large entry. */
import { storePacked } from '../datapath/packs/store-packed.ts';
import { type CopyOptions, copyEntries } from '../datapath/transfer/copy.ts';
import type { Endpoint } from '../datapath/transfer/endpoint.ts';
import { unitsOf } from '../datapath/transfer/manifest-format.ts';
import { readManifestIndex, readManifestPage } from '../datapath/transfer/manifest-store.ts';
import { findMovedPage, readFailures, recordMovedPage } from '../datapath/transfer/move-records.ts';
import type { ObjectPlace } from '../datapath/transfer/object-endpoint.ts';
import type { RateLimiter } from '../datapath/transfer/rate-limiter.ts';
import type { Stores } from '../drivers/open-site.ts';
import { PenstockError } from '../model/errors.ts';
import type { FailedEntry, ManifestRef, Progress } from '../model/manifest.ts';
import { addAnswers, type Counts, FAILED_SHOWN, type MoveRequest, nothingMoved, type UnitAnswer } from '../model/transfer.ts';
import type { Unit } from '../model/transfer-plan.ts';
import type { Run } from './effect.ts';
import { placeOf } from './manifests.ts';
import { moveShare } from './move-share.ts';

/** Small entries on their way at once: what a store answers in parallel hides what each waits for. */
export const FILES_AT_ONCE = 32;
const SHOWN_CHARACTERS = 400;

/** What a unit needs beside its request. */
export interface Mover {
  readonly stores: Stores;
  readonly source: Endpoint;
  readonly target: Endpoint;
  /** Where small entries share packs, the target again. */
  readonly archive?: ObjectPlace;
  readonly limiter: RateLimiter | undefined;
  readonly run: Run;
  /** How far this unit is. */
  readonly onProgress: (progress: Pick<Progress, 'doneFiles' | 'doneBytes'>) => void;
  /** More of it that an earlier attempt has moved. */
  readonly onFound: (found: Counts) => void;
  /** More that lies at the target under its final name, and stays whatever becomes of this attempt. */
  readonly onWhole: (arrived: Counts) => void;
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
  let answer = nothingMoved;
  for (let page = fromPage; page < toPage; page += 1) answer = addAnswers(answer, await movePage(mover, request, page, answer));
  return answer;
}

async function movePage(mover: Mover, request: MoveRequest, page: number, before: UnitAnswer): Promise<UnitAnswer> {
  const { stores, source, target, archive, limiter, run } = mover;
  const { manifest } = request;
  const place = placeOf(stores, manifest);
  const known = await findMovedPage(place, page);
  if (known?.facts) {
    mover.onFound(known.facts);
    mover.onWhole(known.facts);
  }
  const recorded =
    known ??
    (await (async () => {
      const all = await readManifestPage(stores.warm, manifest, page, run.signal);
      const large = new Set((await readManifestIndex(stores.warm, manifest)).pages[page]?.large?.map(({ index }) => index));
      const options: CopyOptions = {
        source,
        target,
        entries: all.filter((_, index) => !large.has(index)),
        attempt: run.attempt,
        superseded: run.superseded,
        concurrency: FILES_AT_ONCE,
        signal: run.signal,
        replace: request.replace,
        attributes: request.attributes ?? false,
        onProgress: ({ doneFiles, doneBytes }) => mover.onProgress({ doneFiles: before.files + doneFiles, doneBytes: before.bytes + doneBytes }),
        onPublished: ({ bytes }) => mover.onWhole({ files: 1, bytes }),
        ...(limiter ? { limiter } : {}),
        ...(request.retention ? { retention: request.retention } : {}),
      };
      const result = await (archive ? storePacked({ ...options, place: archive }) : copyEntries(options));
      run.signal.throwIfAborted();
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
