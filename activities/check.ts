/** Holds a target to a manifest, part by part; each page's findings are on record, so that a lost worker costs a page. */
import { Readable } from 'node:stream';
import * as z from 'zod';
import { createArchivedEndpoint } from '../datapath/packs/archived-endpoint.ts';
import { checkManifest, type PathFinding } from '../datapath/transfer/check.ts';
import type { Endpoint } from '../datapath/transfer/endpoint.ts';
import type { PathRange } from '../datapath/transfer/list-all.ts';
import { findManifest, readManifestPage } from '../datapath/transfer/manifest-store.ts';
import type { RateLimiter } from '../datapath/transfer/rate-limiter.ts';
import type { ObjectStore } from '../drivers/object-store/port.ts';
import type { Stores } from '../drivers/open-site.ts';
import { byBytes } from '../drivers/pages.ts';
import {
  addCheckAnswers,
  addCounts,
  type CheckAnswer,
  CheckCountsSchema,
  type CheckPart,
  type CheckRequest,
  type CheckResult,
  checkKinds,
  checkSymbols,
  differences,
  nothingChecked,
} from '../model/check.ts';
import { absent, PenstockError } from '../model/errors.ts';
import { formatLocation, type Location, SYSTEM_BUCKET } from '../model/location.ts';
import type { ManifestEntry, ManifestRef } from '../model/manifest.ts';
import { demandBucket } from './ad-hoc.ts';
import { effect, type Run } from './effect.ts';
import { createLimitWatch } from './limits.ts';
import { endpointAt, isTree, objectsOf } from './places.ts';
import { writeJson } from './system-records.ts';

const FILES_AT_ONCE = 16;
/** Below a move's manifest, that of what arrived. */
const MOVED = 'moved/';
/** A page of 10,000 entries with the longest paths, each with a message. */
const MAX_RECORD_BYTES = 64 * 2 ** 20;

export interface OpenedCheck {
  readonly manifest: ManifestRef;
  readonly heartbeatSeconds: number;
  readonly eventsPerRun: number;
  /** Entries that were to be moved and are not in this manifest of what arrived; absent where there are none. */
  readonly notMoved?: number;
}
export interface CheckPartRequest extends CheckPart {
  readonly manifest: ManifestRef;
  readonly target: Location;
  readonly read: CheckRequest['read'];
  readonly extra: boolean;
  /** Below which the records of this check lie. */
  readonly records: string;
}
export interface CheckReportRequest {
  readonly manifest: ManifestRef;
  readonly records: string;
}

const PageRecordSchema = z.strictObject({ counts: CheckCountsSchema, lines: z.array(z.string()) });
type PageRecord = z.output<typeof PageRecordSchema>;

export type CheckActivities = ReturnType<typeof createCheckActivities>;

export function createCheckActivities(stores: Stores, watch = createLimitWatch(stores)) {
  return {
    /** NotFound where no manifest lies there; InvalidInput where a store is none of the site, or the store has no such bucket. */
    openCheck: ({ manifest, target }: Pick<CheckRequest, 'manifest' | 'target'>): Promise<OpenedCheck> =>
      effect(async (run) => {
        await demandBucket(stores, target, run.signal);
        const { heartbeatSeconds, eventsPerRun } = stores.site.policies;
        const found = await manifestAt(stores, manifest);
        const notMoved = await notMovedOf(stores, found);
        return { manifest: found, heartbeatSeconds, eventsPerRun, ...(notMoved > 0 ? { notMoved } : {}) };
      }),

    checkPart: (request: CheckPartRequest): Promise<CheckAnswer> =>
      effect(async (run) => {
        const { manifest, target } = request;
        const { limiter, done } = await watch.limiterFor({ manifest, source: target, target });
        let answer = nothingChecked;
        try {
          for (const page of pagesOf(request)) {
            const found = (await findRecord(stores.warm, request.records, page)) ?? (await checkPage({ stores, limiter, run }, request, page, answer));
            answer = addCheckAnswers(answer, found);
          }
          return answer;
        } finally {
          done();
        }
      }),

    /** Joins the pages' findings into one list. */
    writeCheckReport: ({ manifest, records }: CheckReportRequest): Promise<NonNullable<CheckResult['report']>> =>
      effect(async (run) => {
        const key = `${records}report.txt`;
        const lines = Readable.from(linesOf(stores.warm, records, Math.max(1, manifest.pages), run));
        await stores.warm.writeStream(SYSTEM_BUCKET, key, lines, { contentType: 'text/plain; charset=utf-8', signal: run.signal });
        return { store: 'warm', bucket: SYSTEM_BUCKET, key };
      }),
  };
}

async function manifestAt(stores: Stores, place: Location): Promise<ManifestRef> {
  const { store, bucket, prefix } = place;
  const found = isStoreOfManifests(store) ? await findManifest({ store: stores[store], storeName: store, bucket, prefix }) : undefined;
  if (found) return found;
  throw new PenstockError(
    'NotFound',
    `manifest: found ${formatLocation(place)}, where no manifest lies; accepted: a prefix of the warm store with an index.json, or the .penstock/catalog/ of an archived output.`,
    {
      nextStep: 'Take the one that `penstock transfer status` names.',
    },
  );
}

/** Penstock's own records lie in the warm store, and the catalog of what is archived beside it. */
const isStoreOfManifests = (store: string): store is 'warm' | 'cold' => store === 'warm' || store === 'cold';

const pageOf = (stores: Stores, manifest: ManifestRef, page: number, run: Run) =>
  readManifestPage(isStoreOfManifests(manifest.store) ? stores[manifest.store] : stores.warm, manifest, page, run.signal);

/** Of an archive the files of a pack are looked for in it; of a copy of its files in a tree each by itself. */
function targetOf(stores: Stores, target: Location, entries: readonly ManifestEntry[]): Endpoint {
  if (isTree(stores, target.store) || entries.every(({ packed }) => packed === undefined)) return endpointAt(stores, target);
  return createArchivedEndpoint({ store: objectsOf(stores, target.store), bucket: target.bucket, base: target.prefix }, entries);
}

/** What arrived is on record beside the list of what was to be moved. */
async function notMovedOf(stores: Stores, { bucket, prefix, files }: ManifestRef): Promise<number> {
  if (!prefix.endsWith(`/${MOVED}`)) return 0;
  const listed = await findManifest({ store: stores.warm, storeName: 'warm', bucket, prefix: prefix.slice(0, -MOVED.length) });
  return Math.max(0, (listed?.files ?? files) - files);
}

/** A manifest without pages still has a target to look at. */
const pagesOf = ({ fromPage, toPage }: CheckPart): number[] => Array.from({ length: Math.max(1, toPage - fromPage) }, (_, index) => fromPage + index);

interface Checker {
  readonly stores: Stores;
  readonly limiter: RateLimiter;
  readonly run: Run;
}

async function checkPage({ stores, limiter, run }: Checker, request: CheckPartRequest, page: number, before: CheckAnswer): Promise<PageRecord> {
  const { manifest, extra, records } = request;
  const entries = page < manifest.pages ? await pageOf(stores, manifest, page, run) : [];
  const found: PathFinding[] = [];
  const result = await checkManifest({
    entries,
    target: targetOf(stores, request.target, entries),
    read: request.read,
    concurrency: FILES_AT_ONCE,
    listed: 0,
    limiter,
    signal: run.signal,
    onEntry: (counts) => run.report({ page, pages: manifest.pages, ...addCounts(before.counts, counts) }),
    onFinding: (finding) => found.push(finding),
    ...(extra ? { extra: await rangeOf(stores, manifest, page, run) } : {}),
  });
  const counts = Object.fromEntries(checkKinds.map((kind) => [kind, result[kind].count]));
  const lines = found.toSorted((one, other) => byBytes(one.path, other.path)).map(lineOf);
  const record = PageRecordSchema.parse({ counts, lines });
  await writeJson(stores.warm, recordKey(records, page), record);
  return record;
}

/** From behind the page before to the end of this one, so that the pages' ranges cover all of the target, and no path twice. */
async function rangeOf(stores: Stores, manifest: ManifestRef, page: number, run: Run): Promise<PathRange> {
  const lastOf = async (number: number): Promise<string | undefined> => (await pageOf(stores, manifest, number, run)).at(-1)?.path;
  const after = page > 0 ? await lastOf(page - 1) : undefined;
  const until = page < manifest.pages - 1 ? await lastOf(page) : undefined;
  return { ...(after === undefined ? {} : { after }), ...(until === undefined ? {} : { until }) };
}

/** Control characters would forge lines and fields. */
const unsafe = /[\p{Cc}\u2028\u2029]/gu;
const escaped = (text: string): string => text.replace(unsafe, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);

const lineOf = ({ kind, path, detail }: PathFinding): string => `${checkSymbols[kind]} ${escaped(path)}${detail === undefined ? '' : `\t${escaped(detail)}`}`;

const recordKey = (records: string, page: number): string => `${records}pages/${String(page).padStart(6, '0')}.json`;

async function findRecord(store: ObjectStore, records: string, page: number): Promise<PageRecord | undefined> {
  const body = await store.readBytes(SYSTEM_BUCKET, recordKey(records, page), { limitBytes: MAX_RECORD_BYTES }).catch(absent);
  return body && PageRecordSchema.parse(JSON.parse(body.toString('utf8')));
}

async function* linesOf(store: ObjectStore, records: string, pages: number, run: Run): AsyncGenerator<Buffer, void> {
  for (let page = 0; page < pages; page++) {
    run.signal.throwIfAborted();
    const record = await findRecord(store, records, page);
    if (record && differences(record.counts) > 0) yield Buffer.from(`${record.lines.join('\n')}\n`);
    run.report({ reportedPages: page + 1, pages });
  }
}
