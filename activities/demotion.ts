/** A run of the demotion policy, part by part: what goes, and the removal of what has gone. The copy in between is a move like any other. */
import { Context } from '@temporalio/activity';
import { writeManifest } from '../datapath/transfer/manifest-store.ts';
import type { Stores } from '../drivers/open-site.ts';
import { type Tier, type UpperTier, upperTiers } from '../model/demotion-rules.ts';
import {
  type DemotionMove,
  type DemotionResult,
  type ListDemotionRequest,
  type ListedDemotion,
  nothing,
  plus,
  RUNNING_ALLOCATIONS,
} from '../model/demotion-run.ts';
import type { StayReason } from '../model/demotion-verdict.ts';
import { isType } from '../model/errors.ts';
import { SYSTEM_BUCKET } from '../model/location.ts';
import type { ManifestEntry } from '../model/manifest.ts';
import { UNIT_BYTES } from '../model/transfer-plan.ts';
import { askInUse, demotionBuckets, type InUse, judgedPages } from './demotion-facts.ts';
import { writeLastDemotion } from './demotion-record.ts';
import { createDemotedRemoval, type RemoveDemotedRequest } from './demotion-removal.ts';
import { effect, type Run } from './effect.ts';

/** Of one part: about what one unit moves, and what one activity looks at within minutes. */
const BOUNDS = { takenFiles: 10_000, takenBytes: UNIT_BYTES, lookedFiles: 200_000 };

export interface OpenedDemotion {
  readonly heartbeatSeconds: number;
  readonly eventsPerRun: number;
  /** Absent where no rule moves anything. */
  readonly firstTier?: UpperTier;
}

export type DemotionActivities = ReturnType<typeof createDemotionActivities>;

export function createDemotionActivities(stores: Stores, bounds = BOUNDS) {
  const removal = createDemotedRemoval(stores);
  return {
    openDemotion: (): Promise<OpenedDemotion> =>
      effect(async () => {
        const { heartbeatSeconds, eventsPerRun } = stores.site.policies;
        const [firstTier] = tiersWithRules(stores);
        return { heartbeatSeconds, eventsPerRun, ...(firstTier ? { firstTier } : {}) };
      }),

    /** What goes of the next buckets, in manifests; ends at the first bucket that something goes from, or when it has looked at enough. */
    listDemotion: (request: ListDemotionRequest): Promise<ListedDemotion> => effect(async (run) => listPart(stores, bounds, request, run)),

    removeDemoted: (request: RemoveDemotedRequest) => effect(async (run) => removal(request, await inUseNow(stores), run)),

    /** For `penstock policy status`. */
    recordDemotion: (result: DemotionResult & { readonly failure?: string }): Promise<void> => effect(() => writeLastDemotion(stores, result)),
  };
}

const tiersWithRules = ({ site }: Stores): UpperTier[] => upperTiers.filter((tier) => site.demotion.rules.some(({ from }) => from === tier));

async function inUseNow(stores: Stores): Promise<InUse> {
  const owners: string[] = [];
  for await (const { workflowId } of Context.current().client.workflow.list({ query: RUNNING_ALLOCATIONS })) owners.push(workflowId);
  return askInUse(stores, owners);
}

async function listPart(stores: Stores, bounds: typeof BOUNDS, { cursor, now, part }: ListDemotionRequest, run: Run): Promise<ListedDemotion> {
  const { tier } = cursor;
  const inUse = await inUseNow(stores);
  const buckets = (await demotionBuckets(stores)).filter((bucket) => bucket >= (cursor.bucket ?? ''));
  let looked = nothing;
  const stayed: Partial<Record<StayReason, number>> = {};
  for (const [index, bucket] of buckets.entries()) {
    const taken = newTaken(bounds);
    let stoppedAt: string | undefined;
    const after = bucket === cursor.bucket ? cursor.after : undefined;
    for await (const { files, next } of judgedPages(stores, { tier, bucket, after, nowMs: Date.parse(now), inUse }, run.signal)) {
      for (const { entry, verdict } of files) {
        looked = plus(looked, { files: 1, bytes: entry.bytes });
        if (verdict.kind === 'moves') taken.add(verdict.rule.to, entry);
        else stayed[verdict.reason] = (stayed[verdict.reason] ?? 0) + 1;
      }
      run.report({ looking: `${tier}: ${bucket}`, looked });
      stoppedAt = taken.isEnough() || looked.files >= bounds.lookedFiles ? next : undefined;
      if (stoppedAt !== undefined) break;
    }
    const nextBucket = buckets[index + 1];
    const goesOn = stoppedAt === undefined && taken.byTier.size === 0 && looked.files < bounds.lookedFiles;
    if (goesOn && nextBucket !== undefined) continue;
    const rest = stoppedAt === undefined ? afterBucket(stores, tier, nextBucket) : { next: { tier, bucket, after: stoppedAt } };
    return { moves: await moves(stores, { tier, bucket, part, taken }, run), looked, stayed, ...rest };
  }
  return { moves: [], looked, stayed, ...afterBucket(stores, tier, undefined) };
}

function afterBucket(stores: Stores, tier: UpperTier, bucket: string | undefined): Pick<ListedDemotion, 'next'> {
  if (bucket !== undefined) return { next: { tier, bucket } };
  const tiers = tiersWithRules(stores);
  const next = tiers[tiers.indexOf(tier) + 1];
  return next ? { next: { tier: next } } : {};
}

interface Taken {
  readonly byTier: ReadonlyMap<Tier, readonly ManifestEntry[]>;
  add(to: Tier, entry: ManifestEntry): void;
  isEnough(): boolean;
}

function newTaken({ takenFiles, takenBytes }: typeof BOUNDS): Taken {
  const byTier = new Map<Tier, ManifestEntry[]>();
  let total = nothing;
  return {
    byTier,
    add(to, entry) {
      const entries = byTier.get(to) ?? [];
      if (entries.push(entry) === 1) byTier.set(to, entries);
      total = plus(total, { files: 1, bytes: entry.bytes });
    },
    isEnough: () => total.files >= takenFiles || total.bytes >= takenBytes,
  };
}

/** A manifest for each target. Of each attempt its own, for a later one may list something else. */
async function moves(
  stores: Stores,
  { tier, bucket, part, taken }: { tier: UpperTier; bucket: string; part: number; taken: Taken },
  run: Run,
): Promise<readonly DemotionMove[]> {
  const { workflowExecution, attempt } = Context.current().info;
  await stores.warm.ensureBucket(SYSTEM_BUCKET);
  const found: DemotionMove[] = [];
  for (const [to, entries] of taken.byTier) {
    await ensureTarget(stores, to, bucket);
    const manifest = await writeManifest({
      store: stores.warm,
      storeName: 'warm',
      bucket: SYSTEM_BUCKET,
      prefix: `manifests/transfers/demotion/${workflowExecution?.runId ?? 'no-run'}/${part}-${attempt}-${to}/`,
      entries,
      largeBytes: stores.site.policies.largeFile,
      signal: run.signal,
    });
    found.push({ manifest, source: { store: tier, bucket, prefix: '' }, target: { store: to, bucket, prefix: '' } });
  }
  return found;
}

/** A bucket of the cold tier is made with Object Lock, which can only be had at creation, for archives that come later. */
async function ensureTarget(stores: Stores, to: Tier, bucket: string): Promise<void> {
  if (to === 'warm') return await stores.warm.ensureBucket(bucket);
  await stores.cold.ensureBucket(bucket, { objectLock: true }).catch((error: unknown) => {
    if (!isType(error, 'Conflict')) throw error;
  });
}
