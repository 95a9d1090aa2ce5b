/** Whether a file goes down a tier, by which rule, and why it stays where it does not. Pure: the same facts, the same verdict. */
import { type DemotionPolicy, type DemotionRule, liesBelow, scopesOf, type UpperTier } from './demotion-rules.ts';

const DAY_MS = 86_400_000;

/** What is known of a file. Instants in milliseconds since 1970. */
export interface FileFactsOnTier {
  readonly tier: UpperTier;
  /** "BUCKET/PATH". */
  readonly path: string;
  readonly bytes: number;
  /** Of an object: when it came to this store, or was last replaced there. */
  readonly modifiedAtMs: number;
  /** When the file system last saw it read; absent on object stores, which do not tell. */
  readonly readAtMs?: number;
  /** When an allocation last mounted a prefix that it lies below; absent where none is on record. */
  readonly mountedAtMs?: number;
  /** When the output that it belongs to was recorded as whole; absent where there is no such record. */
  readonly finishedAtMs?: number;
  /** An allocation that is not over holds it, or is bringing it up. */
  readonly isInUse: boolean;
  /** Its store would refuse to remove it: a retention or a legal hold. */
  readonly isLocked: boolean;
}

export const stayReasons = ['young', 'no-rule', 'hot-only', 'own', 'in-use', 'locked'] as const;
export type StayReason = (typeof stayReasons)[number];

/** Each as people read it. */
export const stayReasonTexts: Readonly<Record<StayReason, string>> = {
  young: 'used too recently',
  'no-rule': 'no rule is for it',
  'hot-only': 'the site keeps it where it is (hotOnly)',
  own: "Penstock's own records and logs",
  'in-use': 'an allocation uses it',
  locked: 'a retention or legal hold keeps it',
};

/** What tells the age. */
export type AgeBy = 'change' | 'read' | 'mount' | 'finish';

export type Verdict =
  | { readonly kind: 'moves'; readonly rule: DemotionRule; readonly ageDays: number; readonly by: AgeBy }
  /** `dueAt`: when the first rule for it would take it if nobody used it until then. */
  | { readonly kind: 'stays'; readonly reason: StayReason; readonly ageDays: number; readonly by: AgeBy; readonly dueAt?: string };

/**
 * The first rule that fits takes the file. What the site keeps hot, what is in use and what is locked stays, whatever its age. More knowledge of uses, holds
 * or locks never makes a file move that had stayed.
 */
export function judge({ rules, hotOnly }: DemotionPolicy, facts: FileFactsOnTier, nowMs: number): Verdict {
  const { lastUseMs, by } = lastUse(facts);
  const age = { ageDays: (nowMs - lastUseMs) / DAY_MS, by };
  const stays = (reason: StayReason): Verdict => ({ kind: 'stays', reason, ...age });
  if (isOwn(facts.path)) return stays('own');
  if (hotOnly.some((place) => liesBelow(facts.path, place))) return stays('hot-only');
  const candidates = rules.filter((rule) => isFor(rule, facts));
  const rule = candidates.find((each) => dueAtMs(each, facts, lastUseMs) <= nowMs);
  if (!rule) return candidates.length === 0 ? stays('no-rule') : { ...stays('young'), ...dueFirst(candidates, facts, lastUseMs) };
  if (facts.isInUse) return stays('in-use');
  if (facts.isLocked) return stays('locked');
  return { kind: 'moves', rule, ...(rule.sinceAccessDays === undefined ? finishAge(facts, nowMs) : age) };
}

function lastUse({ modifiedAtMs, readAtMs, mountedAtMs }: FileFactsOnTier): { readonly lastUseMs: number; readonly by: AgeBy } {
  const known: readonly (readonly [number, AgeBy])[] = [
    [mountedAtMs ?? Number.NEGATIVE_INFINITY, 'mount'],
    [readAtMs ?? Number.NEGATIVE_INFINITY, 'read'],
    [modifiedAtMs, 'change'],
  ];
  const [lastUseMs, by] = known.reduce((latest, each) => (each[0] >= latest[0] ? each : latest));
  return { lastUseMs, by };
}

function finishAge({ finishedAtMs = 0 }: FileFactsOnTier, nowMs: number): { readonly ageDays: number; readonly by: AgeBy } {
  return { ageDays: (nowMs - finishedAtMs) / DAY_MS, by: 'finish' };
}

/** All but its ages. */
function isFor(rule: DemotionRule, { tier, path, bytes, finishedAtMs }: FileFactsOnTier): boolean {
  return (
    rule.from === tier &&
    bytes >= (rule.minBytes ?? 0) &&
    bytes <= (rule.maxBytes ?? Number.POSITIVE_INFINITY) &&
    (rule.sinceFinishDays === undefined || finishedAtMs !== undefined) &&
    scopesOf(rule).every((place) => liesBelow(path, place))
  );
}

function dueAtMs({ sinceAccessDays, sinceFinishDays }: DemotionRule, { finishedAtMs = 0 }: FileFactsOnTier, lastUseMs: number): number {
  return Math.max(
    sinceAccessDays === undefined ? Number.NEGATIVE_INFINITY : lastUseMs + sinceAccessDays * DAY_MS,
    sinceFinishDays === undefined ? Number.NEGATIVE_INFINITY : finishedAtMs + sinceFinishDays * DAY_MS,
  );
}

function dueFirst(candidates: readonly DemotionRule[], facts: FileFactsOnTier, lastUseMs: number): { readonly dueAt?: string } {
  const due = new Date(Math.min(...candidates.map((rule) => dueAtMs(rule, facts, lastUseMs))));
  return Number.isNaN(due.getTime()) ? {} : { dueAt: due.toISOString() };
}

/** Records beside outputs say that these are whole, and logs are read where they were written: BUCKET/PROJECT/ALLOCATION/logs/. */
const isOwn = (path: string): boolean => /(?:^|\/)\.penstock(?:\/|-)/.test(path) || /^[^/]+\/[^/]+\/[^/]+\/logs\//.test(path);
