/** The retention of archived output: until when and why, what was found of it, and what people may order. Light, for workflows import it. */
import * as z from 'zod';
import { type AllocationKey, IdentifierSchema } from './identifiers.ts';
import type { Location } from './location.ts';
import type { ManifestRef } from './manifest.ts';
import type { Disposition, LockMode, RetentionPolicy } from './retention-policy.ts';

const DAY_MS = 86_400_000;
const MAX_MATTERS = 32;
/** Of several findings; the rest are counted. */
export const FINDINGS_SHOWN = 20;

/** ISO instants of all that ask for a retention; what is absent asks for nothing. */
export interface RetentionClaims {
  readonly law?: string | undefined;
  readonly tenant?: string | undefined;
  readonly hold?: string | undefined;
  /** What was promised before. */
  readonly promised?: string | undefined;
}

/** The latest of them: a retention is extended, never shortened. @throws RangeError where nothing asks for one, or a claim is no instant */
export function effectiveUntil({ law, tenant, hold, promised }: RetentionClaims): string {
  const claims = [law, tenant, hold, promised].filter((claim) => claim !== undefined);
  const latestMs = Math.max(...claims.map((claim) => Date.parse(claim)));
  const latest = claims.find((claim) => Date.parse(claim) === latestMs);
  if (latest === undefined) throw new RangeError(`a retention needs an instant; found ${claims.join(', ') || 'none'}`);
  return latest;
}

/** So many days ahead of the latest of the clocks. A store lets go by its own, whatever ours says. */
export function daysAhead(clocks: readonly string[], days: number): string {
  const latestMs = Math.max(...clocks.map((clock) => Date.parse(clock)));
  return new Date(latestMs + days * DAY_MS).toISOString();
}

/** What a standing hold asks for: also past the attestation after the next. */
export const holdClaim = (clocks: readonly string[], { holdDays, attestDays }: { readonly holdDays: number; readonly attestDays: number }): string =>
  daysAhead(clocks, Math.max(holdDays, 2 * attestDays));

export interface Lock {
  readonly mode: LockMode;
  /** ISO instant. */
  readonly retainUntil: string;
}

export const strongerMode = (one: LockMode, other: LockMode | undefined): LockMode => (other === 'COMPLIANCE' ? other : one);

/** Whether a lock is what was promised, or more. By the second, for stores keep no more. */
export function coversLock(held: Lock | undefined, promised: Lock): boolean {
  if (held === undefined || strongerMode(held.mode, promised.mode) !== held.mode) return false;
  return secondOf(held.retainUntil) >= secondOf(promised.retainUntil);
}
const secondOf = (instant: string): number => Math.floor(Date.parse(instant) / 1000);

/** What the archived output of a request is promised from now on: the site's terms, where the request, or an extension since, asks for no more. */
export function archiveLock(
  { archiveRetentionDays, retention }: { readonly archiveRetentionDays: number; readonly retention?: Pick<RetentionPolicy, 'mode' | 'minimumDays'> },
  asked: { readonly mode?: LockMode | undefined; readonly retainUntil?: string | undefined },
  nowMs: number,
): Lock {
  const inDays = (days: number): string => new Date(nowMs + days * DAY_MS).toISOString();
  const { mode = 'COMPLIANCE', minimumDays = 0 } = retention ?? {};
  const law = minimumDays > 0 ? inDays(minimumDays) : undefined;
  return { mode: strongerMode(mode, asked.mode), retainUntil: effectiveUntil({ law, tenant: asked.retainUntil ?? inDays(archiveRetentionDays) }) };
}

/** Whether an object is read in this round of attestations: each one once in every 1 / share of them. */
export function isReadIn(round: number, path: string, share: number): boolean {
  if (share <= 0) return false;
  const turns = Math.ceil(1 / share);
  return hashOf(path) % turns === round % turns;
}

/** FNV-1a: spreads the paths over the rounds, no more. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  return hash >>> 0;
}

export const findingKinds = [
  /** No version of it is there. */
  'missing',
  /** Another version lies above the one that was archived. */
  'overwritten',
  /** A delete marker lies above it. */
  'hidden',
  'unlocked',
  'shortened',
  'weakened',
  /** Its bytes are not those that were archived. */
  'rotten',
  'unreadable',
  'bucket-gone',
  'lock-off',
  'versioning-off',
  /** The store's clock and the worker's are too far apart. */
  'clock-off',
  /** What was to be done could not be: to attest, to extend for a hold, to delete. */
  'not-attested',
  'not-held',
  'not-deleted',
] as const;
export const FindingSchema = z.strictObject({ kind: z.enum(findingKinds), path: z.string().optional(), what: z.string() });
export type RetentionFinding = z.output<typeof FindingSchema>;

/** What one look at all objects found. */
export const AttestationSchema = z.strictObject({
  /** ISO instant, by the worker's clock. */
  at: z.string(),
  /** The same by the store's. */
  storeTime: z.string().optional(),
  objects: z.int().nonnegative(),
  /** Of them, those whose every byte was read. */
  read: z.int().nonnegative(),
  findingCount: z.int().nonnegative(),
  /** The first {@link FINDINGS_SHOWN}. */
  findings: z.array(FindingSchema),
});
export type Attestation = z.output<typeof AttestationSchema>;

const ReasonSchema = z.string().min(1).max(256).describe('For those who ask later');
const ActorSchema = z
  .string()
  .regex(/^[\x21-\x7e]{1,128}$/, '1 to 128 printable characters without a space, such as a user name or an address')
  .describe('Who orders it');

export const HoldOrderSchema = z.strictObject({
  matter: IdentifierSchema.default('default').describe('What the hold belongs to, such as a case; each matter holds by itself, and all must be released'),
  reason: ReasonSchema,
  actor: ActorSchema,
});
export type HoldOrder = z.output<typeof HoldOrderSchema>;

export const DisposeSchema = z.strictObject({
  decision: z.enum(['delete', 'keep']).describe('delete: every version, verified. keep: it stays, no longer locked'),
  reason: ReasonSchema,
  actor: ActorSchema,
});
export type DisposeOrder = z.output<typeof DisposeSchema>;

export const HoldSchema = HoldOrderSchema.extend({
  /** ISO instant. */
  since: z.string(),
  released: z.strictObject({ at: z.string(), actor: z.string(), reason: z.string() }).exactOptional(),
});
export type Hold = Readonly<z.output<typeof HoldSchema>>;

/** kept: locked, or about to be over; undecided: over or about to be, and a person is asked; deleting: until every version is gone; free: it stays, no longer locked. */
export const StageSchema = z.enum(['kept', 'undecided', 'deleting', 'deleted', 'free']);
export type RetentionStage = z.output<typeof StageSchema>;

/** The search attribute `phase` of a retention, by which those that need a person are found. */
export type RetentionPhase = 'retained' | 'held' | 'breached' | 'undecided' | 'disposed';

export interface RetentionStatus extends AllocationKey {
  readonly location: string;
  /** ISO instant before which the store lets nobody delete. */
  readonly retainUntil: string;
  /** The end that was promised, where the lock goes on only because nobody has decided, or until a decision takes effect. */
  readonly promisedUntil?: string;
  readonly attestations: number;
  readonly lastAttestedAt?: string;
  /** What the last attestation found missing or less locked than promised: the first of the findings. */
  readonly breach?: string;
  readonly mode: LockMode;
  readonly stage: RetentionStage;
  /** Standing ones first, then the last that were released. */
  readonly holds: readonly Hold[];
  readonly findings: readonly RetentionFinding[];
  readonly findingCount: number;
  readonly disposition: Disposition;
  readonly decision?: DisposeOrder & { readonly at: string };
  readonly manifest: ManifestRef;
  /** Where `manifest` names the packs and objects of an archive: the output that its record speaks of. */
  readonly output?: ManifestRef;
  readonly target: Location;
}

/** Undefined where the hold may be placed. */
export function refuseHold(holds: readonly Hold[], { matter }: HoldOrder): string | undefined {
  const standing = holds.filter((hold) => hold.released === undefined);
  if (standing.length < MAX_MATTERS || standing.some((hold) => hold.matter === matter)) return undefined;
  return `matter: found ${JSON.stringify(matter)}; accepted: at most ${MAX_MATTERS} at once. Release one of them first.`;
}

export const standingHolds = (holds: readonly Hold[]): readonly Hold[] => holds.filter((hold) => hold.released === undefined);

export const findingText = ({ kind, path, what }: RetentionFinding): string => `${kind}: ${path === undefined ? '' : `${path}: `}${what}`;

export function parseRetentionWorkflowId(workflowId: string): AllocationKey | undefined {
  const [kind, tenant, project, allocationId, ...rest] = workflowId.split('/');
  return kind === 'retention' && tenant && project && allocationId && rest.length === 0 ? { tenant, project, allocationId } : undefined;
}

export const retentionWorkflowId = (key: AllocationKey): string => `retention/${key.tenant}/${key.project}/${key.allocationId}`;
