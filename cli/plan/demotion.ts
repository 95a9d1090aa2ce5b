/** What the demotion policy would move now, by the same questions and the same judgement as its runs, and no writes. */
import { askInUse, demotionBuckets, judgedPages } from '../../activities/demotion-facts.ts';
import type { Stores } from '../../drivers/open-site.ts';
import { liesBelow, type Tier, type UpperTier, upperTiers } from '../../model/demotion-rules.ts';
import { nothing, plus } from '../../model/demotion-run.ts';
import type { AgeBy, StayReason, Verdict } from '../../model/demotion-verdict.ts';
import type { Counts } from '../../model/transfer.ts';

export interface DemotionPlanRequest {
  /** Ages are counted to it. */
  readonly now: Date;
  /** Workflow ids of the allocations that are not over. */
  readonly allocations: readonly string[];
  /** Only what lies there now; both where absent. */
  readonly tier?: UpperTier;
  readonly tenant?: string;
  /** "BUCKET" or "BUCKET/PREFIX". */
  readonly prefix?: string;
  /** What stays is listed too. */
  readonly all: boolean;
  /** Most files listed; all are counted. */
  readonly limit: number;
}

export interface PlannedFile {
  readonly tier: UpperTier;
  /** "BUCKET/PATH". */
  readonly path: string;
  readonly bytes: number;
  readonly ageDays: number;
  readonly ageBy: AgeBy;
  readonly verdict: 'moves' | 'stays';
  /** Of what moves. */
  readonly rule?: string;
  readonly to?: Tier;
  /** Of what stays. */
  readonly reason?: StayReason;
  readonly dueAt?: string;
}

export interface DemotionPlan {
  readonly now: string;
  readonly files: readonly PlannedFile[];
  /** More files than the limit are not listed. */
  readonly notListed: number;
  readonly looked: Counts;
  readonly moves: Counts;
  /** By rule, in the order of the rules; those that take nothing too. */
  readonly byRule: Readonly<Record<string, Counts>>;
  readonly staysBy: Readonly<Partial<Record<StayReason, Counts>>>;
}

export async function planDemotion(stores: Stores, request: DemotionPlanRequest): Promise<DemotionPlan> {
  const { now, tier: onlyTier, tenant, prefix, all, limit } = request;
  const inUse = await askInUse(stores, request.allocations);
  const buckets = (await demotionBuckets(stores)).filter(
    (bucket) => (tenant === undefined || bucket === tenant) && (prefix === undefined || liesBelow(prefix, bucket)),
  );
  const byRule: Record<string, Counts> = Object.fromEntries(stores.site.demotion.rules.map(({ name }) => [name, nothing]));
  const staysBy: Partial<Record<StayReason, Counts>> = {};
  const files: PlannedFile[] = [];
  let looked = nothing;
  let moves = nothing;
  let listed = 0;
  for (const tier of upperTiers.filter((each) => onlyTier === undefined || each === onlyTier)) {
    for (const bucket of buckets) {
      for await (const page of judgedPages(stores, { tier, bucket, nowMs: now.getTime(), inUse })) {
        for (const { entry, verdict } of page.files) {
          const path = `${bucket}/${entry.path}`;
          if (prefix !== undefined && !liesBelow(path, prefix)) continue;
          const one: Counts = { files: 1, bytes: entry.bytes };
          looked = plus(looked, one);
          if (verdict.kind === 'moves') {
            moves = plus(moves, one);
            byRule[verdict.rule.name] = plus(byRule[verdict.rule.name] ?? nothing, one);
          } else staysBy[verdict.reason] = plus(staysBy[verdict.reason] ?? nothing, one);
          if (!all && verdict.kind === 'stays') continue;
          listed += 1;
          if (files.length < limit) files.push(planned(tier, path, entry.bytes, verdict));
        }
      }
    }
  }
  return { now: now.toISOString(), files, notListed: listed - files.length, looked, moves, byRule, staysBy };
}

function planned(tier: UpperTier, path: string, bytes: number, verdict: Verdict): PlannedFile {
  const known = { tier, path, bytes, ageDays: Math.round(verdict.ageDays * 10) / 10, ageBy: verdict.by };
  return verdict.kind === 'moves'
    ? { ...known, verdict: 'moves', rule: verdict.rule.name, to: verdict.rule.to }
    : { ...known, verdict: 'stays', reason: verdict.reason, ...(verdict.dueAt === undefined ? {} : { dueAt: verdict.dueAt }) };
}
