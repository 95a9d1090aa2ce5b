/** Recalls: what is to come back, and looks at the store that ask for it, and read what is there. */
import { createArchivedEndpoint, holderOf } from '../datapath/packs/archived-endpoint.ts';
import { copyEntries } from '../datapath/transfer/copy.ts';
import { inLanes } from '../datapath/transfer/lanes.ts';
import { listAll } from '../datapath/transfer/list-all.ts';
import { readManifest, readManifestPage } from '../datapath/transfer/manifest-store.ts';
import { findMovedPage, readFailures, recordMovedPage } from '../datapath/transfer/move-records.ts';
import type { RateLimiter } from '../datapath/transfer/rate-limiter.ts';
import type { Stores } from '../drivers/open-site.ts';
import { FIRST_LOOK_MS, tiersOf } from '../model/archive.ts';
import { absent, isType, PenstockError } from '../model/errors.ts';
import { allocationPrefix } from '../model/identifiers.ts';
import { formatLocation, type Location } from '../model/location.ts';
import type { FailedEntry, ManifestEntry, ManifestRef } from '../model/manifest.ts';
import { OUTPUT_RECORD, type OutputRecord, OutputRecordSchema } from '../model/output-record.ts';
import { isWithin, noRound, type OpenedRecall, type RecallKey, type RecallRequest, type RecallRound } from '../model/recall.ts';
import { FAILED_SHOWN } from '../model/transfer.ts';
import { effect, type Run } from './effect.ts';
import { createLimitWatch } from './limits.ts';
import { intoManifest, placeOf } from './manifests.ts';
import { FILES_AT_ONCE, shown } from './move-unit.ts';
import { endpointAt } from './places.ts';

const OBJECTS_AT_ONCE = 16;
/** Of what was archived before the site file stopped to archive. */
const DEFAULT_RESTORE_DAYS = 3;
/** Penstock's own beside an output. */
const RECORDS_PREFIX = '.penstock/';

export type OpenRecallRequest = RecallKey & Pick<RecallRequest, 'path' | 'tier' | 'target'>;
export interface RecallRoundRequest extends Pick<RecallRequest, 'tier' | 'target' | 'replace'> {
  readonly manifest: ManifestRef;
  readonly source: Location;
}

export type RecallActivities = ReturnType<typeof createRecallActivities>;

export function createRecallActivities(stores: Stores, watch = createLimitWatch(stores)) {
  return {
    /** NotFound where no such output is archived, or nothing of it has that path. InvalidInput where the archive class has no such tier. */
    openRecall: (request: OpenRecallRequest): Promise<OpenedRecall> => effect((run) => openRecall(stores, request, run)),

    /** One look: asks for what is archived, reads and writes what is restored. What a look before has brought stays. */
    recallRound: (request: RecallRoundRequest): Promise<RecallRound> =>
      effect(async (run) => {
        const { limiter, done } = await watch.limiterFor(request);
        try {
          return await lookAtAll({ stores, request, run, limiter });
        } finally {
          done();
        }
      }),
  };
}

/** Where an allocation's archived output lies. */
const archivedAt = (key: RecallKey): Location => ({ store: 'cold', bucket: key.tenant, prefix: allocationPrefix(key) });

async function openRecall(stores: Stores, request: OpenRecallRequest, run: Run): Promise<OpenedRecall> {
  const { archive } = stores.site.stores.cold;
  if (archive && !tiersOf(archive.storageClass).includes(request.tier)) {
    throw new PenstockError(
      'InvalidInput',
      `tier: found ${request.tier}; accepted: ${tiersOf(archive.storageClass).join(', ')}, which ${archive.storageClass} has.`,
    );
  }
  const source = archivedAt(request);
  const { catalog } = await readRecord(stores, source);
  const name = `${request.tenant}/${request.project}/${request.allocationId}/recall-${request.recallId}`;
  const all = () => (catalog ? readManifest(stores.cold, catalog, run.signal) : listAll(endpointAt(stores, source), run.signal));
  const manifest = await intoManifest(stores, name, run, async () => [() => selected(all(), request.path)]);
  if (manifest.files === 0) {
    throw new PenstockError('NotFound', `${formatLocation(source)} has nothing of the path ${JSON.stringify(request.path)}.`, {
      nextStep: 'Give --path as it was written below the output, or leave it out.',
    });
  }
  const holders = new RecentNames();
  for await (const entry of readManifest(stores.warm, manifest, run.signal)) holders.add(holderOf(entry));
  const { heartbeatSeconds, eventsPerRun } = stores.site.policies;
  return {
    manifest,
    objects: holders.count,
    ...(archive && catalog ? { storageClass: archive.storageClass } : {}),
    heartbeatSeconds,
    eventsPerRun,
    firstLookMs: archive?.firstLookSeconds === undefined ? FIRST_LOOK_MS : archive.firstLookSeconds * 1000,
  };
}

async function* selected(entries: AsyncIterable<ManifestEntry>, wanted: string): AsyncGenerator<ManifestEntry, void> {
  for await (const entry of entries) if (!entry.path.startsWith(RECORDS_PREFIX) && isWithin(entry.path, wanted)) yield entry;
}

async function readRecord(stores: Stores, { bucket, prefix, ...rest }: Location): Promise<OutputRecord> {
  const record = await stores.cold.readBytes(bucket, `${prefix}${OUTPUT_RECORD}`).catch(absent);
  if (record) return OutputRecordSchema.parse(JSON.parse(record.toString('utf8')));
  throw new PenstockError('NotFound', `${formatLocation({ bucket, prefix, ...rest })} holds no archived output.`, {
    store: stores.cold.name,
    nextStep: 'Output is archived when its allocation has succeeded; `penstock allocation status` says where it is.',
  });
}

/** Counts names that come in turns of a few: a pack's members stand near one another. Remembers no more than that. */
class RecentNames {
  count = 0;
  readonly #recent = new Set<string>();

  add(name: string): void {
    if (this.#recent.has(name)) return;
    this.count += 1;
    this.#recent.add(name);
    const [oldest] = this.#recent;
    if (this.#recent.size > 1000 && oldest !== undefined) this.#recent.delete(oldest);
  }
}

interface Look {
  readonly stores: Stores;
  readonly request: RecallRoundRequest;
  readonly run: Run;
  readonly limiter: RateLimiter;
}

async function lookAtAll(look: Look): Promise<RecallRound> {
  const { request, run } = look;
  let round = noRound;
  for (let page = 0; page < request.manifest.pages; page += 1) {
    round = addRounds(round, await lookAtPage(look, page));
    run.report(round);
  }
  return round;
}

const addRounds = (one: RecallRound, other: RecallRound): RecallRound => ({
  files: one.files + other.files,
  bytes: one.bytes + other.bytes,
  failedCount: one.failedCount + other.failedCount,
  failed: [...one.failed, ...other.failed].slice(0, FAILED_SHOWN),
  waitingObjects: one.waitingObjects + other.waitingObjects,
  asked: one.asked + other.asked,
  notTaken: one.notTaken + other.notTaken,
});

/** A page of which nothing is waited for any more has a record, and is not looked at again. */
async function lookAtPage(look: Look, page: number): Promise<RecallRound> {
  const { stores, request, run } = look;
  const place = placeOf(stores, request.manifest);
  const known = await findMovedPage(place, page);
  if (known) {
    const failed = known.failed > 0 ? shown(await readFailures(place, page)) : [];
    return { ...noRound, files: known.facts?.files ?? 0, bytes: known.facts?.bytes ?? 0, failedCount: known.failed, failed };
  }
  const entries = await readManifestPage(stores.warm, request.manifest, page, run.signal);
  const { readable, missing, waiting, asked, notTaken } = await askFor(look, entries);
  const source = createArchivedEndpoint({ store: stores.cold, bucket: request.source.bucket, base: request.source.prefix }, readable);
  const { done, failed } = await copyEntries({
    source,
    target: endpointAt(stores, request.target),
    entries: readable,
    attempt: run.attempt,
    superseded: run.superseded,
    concurrency: FILES_AT_ONCE,
    replace: request.replace,
    limiter: look.limiter,
    signal: run.signal,
  });
  run.signal.throwIfAborted();
  // Expired between the look and the read: asked for again by the next look.
  const expired = failed.filter(({ type }) => type === 'RestorePending');
  const fatal = [...missing, ...failed.filter(({ type }) => type !== 'RestorePending')];
  const waitingObjects = waiting + holdersOf(readable.filter(({ path }) => expired.some((each) => each.path === path))).size;
  if (waitingObjects === 0) await recordMovedPage(place, page, done, fatal);
  const bytes = done.reduce((sum, entry) => sum + entry.bytes, 0);
  return { files: done.length, bytes, failedCount: fatal.length, failed: shown(fatal), waitingObjects, asked, notTaken };
}

const holdersOf = (entries: readonly ManifestEntry[]): Set<string> => new Set(entries.map(holderOf));

interface Asked {
  readonly readable: readonly ManifestEntry[];
  readonly missing: readonly FailedEntry[];
  /** Objects that are being restored. */
  readonly waiting: number;
  /** Of these, so many since now. */
  readonly asked: number;
  /** Of these, so many that the store would not begin with. */
  readonly notTaken: number;
}

async function askFor({ stores, request, run }: Look, entries: readonly ManifestEntry[]): Promise<Asked> {
  const states = new Map<string, HolderState>();
  await inLanes(holdersOf(entries), OBJECTS_AT_ONCE, async (holder) => {
    run.signal.throwIfAborted();
    states.set(holder, await askForOne(stores, request, `${request.source.prefix}${holder}`, run.signal));
  });
  const inState = (wanted: HolderState) => entries.filter((entry) => states.get(holderOf(entry)) === wanted);
  const count = (wanted: HolderState) => [...states.values()].filter((state) => state === wanted).length;
  return {
    readable: inState('readable'),
    missing: inState('missing').map(({ path, packed }) => ({
      path,
      type: 'NotFound',
      message: `${packed ? `Its pack ${packed.key}` : 'It'} is not in ${formatLocation(request.source)} any more.`,
    })),
    waiting: count('waiting') + count('asked') + count('not-taken'),
    asked: count('asked'),
    notTaken: count('not-taken'),
  };
}

type HolderState = 'readable' | 'missing' | 'waiting' | 'asked' | 'not-taken';

async function askForOne({ coldTier, site }: Stores, { source, tier }: RecallRoundRequest, key: string, signal: AbortSignal): Promise<HolderState> {
  const state = await coldTier.state(source.bucket, key, { signal });
  switch (state?.kind) {
    case undefined:
      return 'missing';
    case 'readable':
    case 'restored':
      return 'readable';
    case 'restoring':
      return 'waiting';
    case 'archived':
      break;
  }
  const days = site.stores.cold.archive?.restoreDays ?? DEFAULT_RESTORE_DAYS;
  const answer = await coldTier.restore(source.bucket, key, { tier, days, signal }).catch(noCapacity);
  switch (answer) {
    case 'asked':
    case 'not-taken':
      return answer;
    case 'under-way':
      return 'waiting';
    case 'extended':
    case 'readable':
      return 'readable';
  }
}

/** Not to wait here, for others may be restored: the next look asks again. */
function noCapacity(error: unknown): 'not-taken' {
  if (isType(error, 'RestorePending')) return 'not-taken';
  throw error;
}
