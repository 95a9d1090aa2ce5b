/** What the demotion policy needs to know of data before it judges it, asked of the stores in pages. Plans and runs ask the same. */
import { isDirectory } from '../datapath/transfer/file-endpoint.ts';
import { inLanes } from '../datapath/transfer/lanes.ts';
import type { Stores } from '../drivers/open-site.ts';
import { eachPage, type From } from '../drivers/pages.ts';
import { bucketOf, type UpperTier } from '../model/demotion-rules.ts';
import { type FileFactsOnTier, judge, type Verdict } from '../model/demotion-verdict.ts';
import { absent, isFatal } from '../model/errors.ts';
import { parseAllocationWorkflowId } from '../model/identifiers.ts';
import { SYSTEM_BUCKET } from '../model/location.ts';
import type { ManifestEntry } from '../model/manifest.ts';
import { OUTPUT_RECORD } from '../model/output-record.ts';
import { mountTimes } from './last-mounted.ts';
import { endpointAt, objectsOf } from './places.ts';

/** Directories of the hot tree that are no buckets of data: what lies there is a person's or a running job's. */
const NEVER: readonly string[] = ['home', 'scratch', SYSTEM_BUCKET];
/** Questions about files at once. */
const ASKED_AT_ONCE = 32;

export interface Judged {
  readonly entry: ManifestEntry;
  readonly verdict: Verdict;
}
export interface JudgedPage {
  readonly files: readonly Judged[];
  /** Where the listing goes on; undefined at the end. */
  readonly next: string | undefined;
}
export interface JudgeRequest {
  readonly tier: UpperTier;
  readonly bucket: string;
  readonly after?: string | undefined;
  readonly nowMs: number;
  readonly inUse: InUse;
}
/** Whether an allocation that is not over holds "BUCKET/PATH", or is bringing it up. */
export type InUse = (path: string) => boolean;

/**
 * Buckets that are looked at, in order: those that all tenants share, those of tenants that Penstock has moved for, and those that a rule names. The first
 * 1,000 tenants.
 */
export async function demotionBuckets({ warm, site }: Stores): Promise<readonly string[]> {
  const manifests = (await warm.listPrefixes(SYSTEM_BUCKET, 'manifests/').catch(absent)) ?? [];
  const tenants = manifests.map((prefix) => prefix.slice('manifests/'.length, -1)).filter((name) => name !== 'transfers');
  const named = site.demotion.rules.flatMap(({ tenant, prefix }) => [tenant, prefix].flatMap((place) => (place === undefined ? [] : [bucketOf(place)])));
  return [...new Set([...site.policies.sharedBuckets, ...tenants, ...named])].filter((bucket) => !NEVER.includes(bucket)).sort();
}

/** @param owners workflow ids of the allocations that are not over */
export async function askInUse({ hot }: Stores, owners: readonly string[]): Promise<InUse> {
  const held = new Set<string>();
  await inLanes(owners, ASKED_AT_ONCE, async (owner) => {
    const key = parseAllocationWorkflowId(owner);
    // Its output lies there before anything is exported of it.
    if (key) held.add(`${key.tenant}/${key.project}/${key.allocationId}`);
    const { exports, reservations } = await hot.holdings(owner);
    // What is staged has the same bucket and name on every tier.
    for (const { path } of [...exports, ...reservations]) held.add(path.replace(/^\/|\/$/g, ''));
  });
  return (path) => held.has('') || stepsTo(path).some((step) => held.has(step));
}

/** Every file of a bucket on a tier with its verdict, in path order. Nothing where there is no such bucket. */
export async function* judgedPages(stores: Stores, request: JudgeRequest, signal?: AbortSignal): AsyncGenerator<JudgedPage, void> {
  const { tier, bucket } = request;
  const endpoint = endpointAt(stores, { store: tier, bucket, prefix: '' }, { symlinks: 'skip', specials: 'skip' });
  const judgeOne = await judgeOf(stores, request);
  const list = async (from: From) => {
    signal?.throwIfAborted();
    return (await endpoint.list({ ...from, ...(signal ? { signal } : {}) }).catch(absent)) ?? { entries: [], next: undefined };
  };
  for await (const page of eachPage(list, request.after)) {
    const entries = page.entries.filter(({ path }) => !isDirectory(path));
    const verdicts = new Map<string, Verdict>();
    await inLanes(entries, ASKED_AT_ONCE, async (entry) => void verdicts.set(entry.path, await judgeOne(entry)));
    const files = entries.flatMap((entry) => {
      const verdict = verdicts.get(entry.path);
      return verdict ? [{ entry, verdict }] : [];
    });
    yield { files, next: page.next };
  }
}

/** What is dear to know is asked only of what would move without it: knowing it never makes a file move that had stayed. */
async function judgeOf(stores: Stores, { tier, bucket, nowMs, inUse }: JudgeRequest): Promise<(entry: ManifestEntry) => Promise<Verdict>> {
  const policy = stores.site.demotion;
  const mountedAt = await mountTimes(stores, bucket);
  const asksFinish = policy.rules.some((rule) => rule.from === tier && rule.sinceFinishDays !== undefined);
  const finishedAt = finishTimes(stores, bucket);
  return async (entry) => {
    const path = `${bucket}/${entry.path}`;
    const [mountedAtMs, finishedAtMs] = [mountedAt(path), asksFinish ? await finishedAt(entry.path) : undefined];
    const facts: FileFactsOnTier = {
      tier,
      path,
      bytes: entry.bytes,
      modifiedAtMs: Date.parse(entry.modifiedAt),
      isInUse: inUse(path),
      isLocked: false,
      ...(mountedAtMs === undefined ? {} : { mountedAtMs }),
      ...(finishedAtMs === undefined ? {} : { finishedAtMs }),
    };
    const first = judge(policy, facts, nowMs);
    if (first.kind === 'stays') return first;
    return judge(policy, { ...facts, ...(await askStore(stores, tier, bucket, entry.path).catch(leaveToMove)) }, nowMs);
  };
}

async function askStore(stores: Stores, tier: UpperTier, bucket: string, path: string): Promise<Pick<FileFactsOnTier, 'readAtMs' | 'isLocked'>> {
  if (tier !== 'hot') return { isLocked: (await objectsOf(stores, tier).hold(bucket, path)) !== undefined };
  const readAt = await stores.hotFiles.readAt(`${bucket}/${path}`);
  return { isLocked: false, ...(readAt === undefined ? {} : { readAtMs: Date.parse(readAt) }) };
}

/** A name that cannot be asked for must not hold up all others: the move will say what is wrong with it, and it stays. */
function leaveToMove(error: unknown): Pick<FileFactsOnTier, 'isLocked'> {
  if (isFatal(error)) return { isLocked: false };
  throw error;
}

/** When the output that a path lies in was recorded as whole, remembered for its neighbours. */
function finishTimes({ warm, cold }: Stores, bucket: string): (path: string) => Promise<number | undefined> {
  let known: { readonly output: string; readonly at: Promise<number | undefined> } | undefined;
  return (path) => {
    const [project, allocation, ...rest] = path.split('/');
    if (project === undefined || allocation === undefined || rest.length === 0) return Promise.resolve(undefined);
    const output = `${project}/${allocation}/`;
    if (known?.output !== output) known = { output, at: recordTime([warm, cold], bucket, `${output}${OUTPUT_RECORD}`) };
    return known.at;
  };
}

async function recordTime(stores: readonly Stores['warm'][], bucket: string, key: string): Promise<number | undefined> {
  for (const store of stores) {
    const record = await store.head(bucket, key).catch(absent);
    if (record) return Date.parse(record.modifiedAt);
  }
  return undefined;
}

/** "a", "a/b" and "a/b/c" of "a/b/c". */
function stepsTo(path: string): string[] {
  const steps = path.split('/');
  return steps.map((_, index) => steps.slice(0, index + 1).join('/'));
}
