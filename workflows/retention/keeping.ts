/** What a retention knows: plain data, so that it can be carried whole into the next run of the same retention. */
import { setCurrentDetails, upsertSearchAttributes } from '@temporalio/workflow';
import { type AllocationKey, DATA_QUEUE } from '../../model/identifiers.ts';
import { formatLocation, type Location } from '../../model/location.ts';
import type { ManifestRef } from '../../model/manifest.ts';
import {
  findingText,
  type Hold,
  type RetentionFinding,
  type RetentionPhase,
  type RetentionStage,
  type RetentionStatus,
  standingHolds,
} from '../../model/retention.ts';
import type { LockMode, RetentionPolicy } from '../../model/retention-policy.ts';
import { phaseAttribute } from '../../model/search-attributes.ts';
import { newTurns, type Turns } from '../in-turn.ts';
import { activities } from '../presets.ts';

export interface RetainRequest extends AllocationKey {
  readonly manifest: ManifestRef;
  /** Where `manifest` names the packs and objects of an archive: the output that its record speaks of. */
  readonly output?: ManifestRef;
  readonly target: Location;
  readonly retainUntil: string;
  readonly attestDays: number;
  readonly heartbeatSeconds: number;
  /** COMPLIANCE where absent, as in runs begun before 0.3; and so are the terms of those. */
  readonly mode?: LockMode;
  readonly terms?: Pick<RetentionPolicy, 'holdDays' | 'readShare' | 'disposition'> & Partial<Pick<RetentionPolicy, 'undecidedDays'>>;
  /** From the run before, where this one continues it. */
  readonly attestations?: number;
  readonly lastAttestedAt?: string;
  readonly carried?: Carried;
}

/** What people ordered and what was found. */
export interface Carried {
  /** Counts the looks, whatever they found: it decides what is read in which. */
  round: number;
  nextLookAt: string;
  /** The store's clock at the last look, ISO. */
  storeTime?: string | undefined;
  holds: readonly Hold[];
  findings: readonly RetentionFinding[];
  findingCount: number;
  stage: RetentionStage;
  decision?: RetentionStatus['decision'];
  /** See {@link RetentionStatus}. */
  promisedUntil?: string;
}

export interface Keeping extends Carried {
  readonly request: RetainRequest;
  /** False in runs begun before 0.3: they only attest locks, until an order lets them continue as new. */
  readonly isAttestedInFull: boolean;
  readonly turns: Turns;
  retainUntil: string;
  attestations: number;
  lastAttestedAt: string | undefined;
  /** An order has come: what is due next is another thing than it was. */
  isCalled: boolean;
  shownPhase?: RetentionPhase;
}

const DAY_MS = 86_400_000;
const AGAIN_DAYS = 1;
const DEFAULT_TERMS = { holdDays: 180, readShare: 0, disposition: 'keep', undecidedDays: 30 } as const;

export const termsOf = ({ request }: Keeping): Required<NonNullable<RetainRequest['terms']>> => ({ ...DEFAULT_TERMS, ...request.terms });
export const modeOf = ({ request }: Keeping): LockMode => request.mode ?? 'COMPLIANCE';
export const inDays = (days: number): string => new Date(Date.now() + days * DAY_MS).toISOString();
/** A store that still refuses, or does not answer, is asked again so soon: by its own clock it may not be over yet. */
export const againMs = ({ request }: Keeping): number => Math.min(AGAIN_DAYS, request.attestDays) * DAY_MS;
export const isOver = ({ retainUntil, holds }: Keeping): boolean => Date.now() >= Date.parse(retainUntil) && standingHolds(holds).length === 0;

export function newKeeping(request: RetainRequest, isAttestedInFull: boolean): Keeping {
  return {
    round: 0,
    nextLookAt: inDays(request.attestDays),
    holds: [],
    findings: [],
    findingCount: 0,
    stage: 'kept',
    ...request.carried,
    request,
    isAttestedInFull,
    turns: newTurns(),
    retainUntil: request.retainUntil,
    attestations: request.attestations ?? 0,
    lastAttestedAt: request.lastAttestedAt,
    isCalled: false,
  };
}

/** The input of the run that goes on. */
export function continued(keeping: Keeping): RetainRequest {
  const { request, retainUntil, attestations, lastAttestedAt } = keeping;
  const { round, nextLookAt, storeTime, holds, findings, findingCount, stage, decision, promisedUntil } = keeping;
  const asked = { ...(decision ? { decision } : {}), ...(promisedUntil ? { promisedUntil } : {}) };
  const carried = { round, nextLookAt, storeTime, holds, findings, findingCount, stage, ...asked };
  return { ...request, retainUntil, attestations, ...(lastAttestedAt ? { lastAttestedAt } : {}), carried };
}

/** What every activity of a retention is told. */
export const lockOf = (keeping: Keeping) => ({
  manifest: keeping.request.manifest,
  ...(keeping.request.output ? { output: keeping.request.output } : {}),
  target: keeping.request.target,
  retainUntil: keeping.retainUntil,
  mode: modeOf(keeping),
});

export const call = <A extends object>({ request }: Keeping, summary: string, preset: 'bulk' | 'attest' = 'bulk') =>
  activities<A>(preset, { queue: DATA_QUEUE, heartbeatSeconds: request.heartbeatSeconds, summary });

export function statusOf(keeping: Keeping): RetentionStatus {
  const { request, findings, lastAttestedAt, decision, promisedUntil } = keeping;
  const [first] = findings;
  const { tenant, project, allocationId } = request;
  return {
    tenant,
    project,
    allocationId,
    location: formatLocation(request.target),
    retainUntil: keeping.retainUntil,
    ...(promisedUntil ? { promisedUntil } : {}),
    attestations: keeping.attestations,
    ...(lastAttestedAt ? { lastAttestedAt } : {}),
    ...(first ? { breach: findingText(first) } : {}),
    mode: modeOf(keeping),
    stage: keeping.stage,
    holds: keeping.holds,
    findings,
    findingCount: keeping.findingCount,
    disposition: termsOf(keeping).disposition,
    ...(decision ? { decision } : {}),
    manifest: request.manifest,
    ...(request.output ? { output: request.output } : {}),
    target: request.target,
  };
}

export function show(keeping: Keeping): void {
  setCurrentDetails(renderDetails(statusOf(keeping)));
  const phase = phaseOf(keeping);
  if (!keeping.isAttestedInFull || phase === keeping.shownPhase) return;
  upsertSearchAttributes([phaseAttribute(phase)]);
  keeping.shownPhase = phase;
}

function phaseOf({ stage, findings, holds }: Keeping): RetentionPhase {
  if (findings.length > 0) return 'breached';
  if (stage === 'deleted' || stage === 'free') return 'disposed';
  if (stage === 'undecided') return 'undecided';
  return standingHolds(holds).length > 0 ? 'held' : 'retained';
}

function renderDetails(status: RetentionStatus): string {
  const { findings, findingCount, attestations, lastAttestedAt, holds, manifest, location } = status;
  return [
    ...(findingCount > 0 ? [`**BREACH**, ${findingCount} findings:`, ...findings.map((finding) => `- ${findingText(finding)}`), ''] : []),
    `**${headline(status)}**, attested ${attestations} times${lastAttestedAt ? `, last at ${lastAttestedAt}` : ''}`,
    `- ${manifest.files} files in ${location}`,
    ...standingHolds(holds).map(({ matter, since, actor, reason }) => `- legal hold ${matter} since ${since} by ${actor}: ${reason}`),
  ].join('\n');
}

function headline({ stage, retainUntil, promisedUntil, decision }: RetentionStatus): string {
  switch (stage) {
    case 'kept':
      return `locked until ${retainUntil}${decision ? `, then ${decision.decision}, as ${decision.actor} ordered` : ''}`;
    case 'undecided':
      return promisedUntil === undefined
        ? `over since ${retainUntil}: waits for \`penstock retention dispose\``
        : `promised until ${promisedUntil}, undecided and so locked until ${retainUntil} and on: waits for \`penstock retention dispose\``;
    case 'deleting':
      return `over since ${retainUntil}: being deleted`;
    case 'deleted':
      return 'deleted, every version, and read back as gone';
    case 'free':
      return `kept, no longer locked since ${retainUntil}`;
    default:
      return stage satisfies never;
  }
}
