/** One look at all that is retained: holds renewed, every object attested, and what was found on record. */
import { ActivityFailure, isCancellation } from '@temporalio/workflow';
import type { AttestationActivities } from '../../activities/attestation.ts';
import type { RetentionActivities } from '../../activities/retention.ts';
import { type Attestation, AttestationSchema, FINDINGS_SHOWN, type RetentionFinding, standingHolds } from '../../model/retention.ts';
import { now } from '../clock.ts';
import { innerMessageOf, rootCause } from '../failures.ts';
import { inTurn } from '../in-turn.ts';
import { call, inDays, type Keeping, lockOf, show, termsOf } from './keeping.ts';
import { applyHold } from './orders.ts';

/** Where something was found, it is looked at again so soon: somebody is at work on it, or should be. */
const AGAIN_DAYS = 7;

export async function look(keeping: Keeping): Promise<void> {
  const { request } = keeping;
  await inTurn(keeping.turns, async () => {
    const unheld = await renewHolds(keeping);
    const attestation = await attest(keeping, { isLocked: true });
    keeping.round += 1;
    keeping.storeTime = attestation.storeTime ?? keeping.storeTime;
    setFindings(keeping, [...unheld, ...attestation.findings], unheld.length + attestation.findingCount);
    if (keeping.findingCount === 0) {
      keeping.attestations += 1;
      keeping.lastAttestedAt = now();
    }
    keeping.nextLookAt = inDays(keeping.findingCount === 0 ? request.attestDays : Math.min(AGAIN_DAYS, request.attestDays));
  });
  show(keeping);
}

export function setFindings(keeping: Keeping, findings: readonly RetentionFinding[], count: number): void {
  keeping.findings = findings.slice(0, FINDINGS_SHOWN);
  keeping.findingCount = count;
}

/** What is wrong comes as a failure, so that the audit log and the history say so; it is a finding, and ends nothing. */
export async function attest(keeping: Keeping, { isLocked }: { readonly isLocked: boolean }): Promise<Attestation> {
  const { round, request } = keeping;
  const summary = `attest that ${request.manifest.files} files are ${isLocked ? `locked until ${keeping.retainUntil}` : 'there'} and whole`;
  const { readShare } = termsOf(keeping);
  try {
    return await call<AttestationActivities>(keeping, summary, 'attest').attestRetained({ ...lockOf(keeping), round, readShare, isLocked });
  } catch (error) {
    if (isCancellation(error) || !(error instanceof ActivityFailure)) throw error;
    const cause = rootCause(error);
    const [details] = cause instanceof Error && 'details' in cause && Array.isArray(cause.details) ? cause.details : [];
    const parsed = AttestationSchema.safeParse(details);
    return parsed.success
      ? parsed.data
      : { at: now(), objects: 0, read: 0, findingCount: 1, findings: [{ kind: 'not-attested', what: innerMessageOf(error) }] };
  }
}

async function renewHolds(keeping: Keeping): Promise<readonly RetentionFinding[]> {
  const matters = standingHolds(keeping.holds).map(({ matter }) => matter);
  if (matters.length === 0) return [];
  try {
    await applyHold(keeping, { by: 'penstock', why: `renewed for ${matters.join(', ')}` });
    return [];
  } catch (error) {
    if (isCancellation(error) || !(error instanceof ActivityFailure)) throw error;
    return [{ kind: 'not-held', what: innerMessageOf(error) }];
  }
}

/** Of runs begun before 0.3. A breach is shown until it is mended, and watching goes on: an alarm that ends the watch would be the last one. */
export async function attestLocksOnly(keeping: Keeping): Promise<void> {
  const { manifest, target } = keeping.request;
  const { retainUntil } = keeping;
  try {
    const summary = `attest that ${manifest.files} files are still locked until ${retainUntil}`;
    await call<RetentionActivities>(keeping, summary).attestLocks({ manifest, target, retainUntil });
    setFindings(keeping, [], 0);
    keeping.attestations += 1;
    keeping.lastAttestedAt = now();
  } catch (error) {
    if (isCancellation(error) || !(error instanceof ActivityFailure)) throw error;
    setFindings(keeping, [{ kind: 'not-attested', what: innerMessageOf(error) }], 1);
  }
}
