/** POST ?restore, as the documentation of RestoreObject states it. */

import { phaseOf, S3Refusal } from './answers.ts';
import type { ColdTierConfig } from './config.ts';
import type { Archived, ArchiveState, Restore } from './state.ts';

type Tier = Restore['tier'];
/** Faster first. */
const TIERS: readonly Tier[] = ['Expedited', 'Standard', 'Bulk'];

export interface RestoreRequest {
  readonly days: number;
  readonly tier: Tier;
}

/** @throws S3Refusal MalformedXML, InvalidArgument */
export function parseRestoreRequest(body: string): RestoreRequest {
  if (!/<RestoreRequest[\s>]/.test(body) || !/<\/RestoreRequest>\s*$/.test(body)) throw malformed();
  const days = /<Days>\s*(-?\d+)\s*<\/Days>/.exec(body)?.[1];
  const tier = /<Tier>\s*(\w+)\s*<\/Tier>/.exec(body)?.[1] ?? 'Standard';
  const known = TIERS.find((each) => each === tier);
  if (days === undefined || !known) throw malformed();
  if (Number(days) < 1) throw new S3Refusal(400, 'InvalidArgument', 'restoration days should be at least 1');
  return { days: Number(days), tier: known };
}

const malformed = (): S3Refusal =>
  new S3Refusal(400, 'MalformedXML', 'The XML you provided was not well-formed or did not validate against our published schema');

/** @returns the HTTP status of success: 202 where the object is being restored now, 200 where its copy was there and stays longer */
export async function restore(
  { config, state, now }: { config: ColdTierConfig; state: ArchiveState; now: number },
  archived: Archived | undefined,
  request: RestoreRequest,
): Promise<200 | 202> {
  if (!archived) throw new S3Refusal(403, 'InvalidObjectState', "Restore is not allowed for the object's current storage class");
  const takesMilliseconds = durationOf(config, archived, request.tier);
  const phase = phaseOf(archived, now);
  if (phase === 'restored' && archived.restore) {
    await state.put({ ...archived, restore: { ...archived.restore, until: expiry(config, now, request.days) } });
    return 200;
  }
  const running = phase === 'restoring' ? archived.restore : undefined;
  const isFaster = running && TIERS.indexOf(request.tier) < TIERS.indexOf(running.tier);
  if (running && !isFaster) throw new S3Refusal(409, 'RestoreAlreadyInProgress', 'Object restore is already in progress');
  if (request.tier === 'Expedited' && expedited(state, now) >= config.expeditedAtOnce)
    throw new S3Refusal(503, 'GlacierExpeditedRetrievalNotAvailable', 'Glacier expedited retrievals are currently not available, please try again later');
  const readyAt = Math.min(now + takesMilliseconds, running?.readyAt ?? Number.POSITIVE_INFINITY);
  await state.put({ ...archived, restore: { tier: request.tier, readyAt, until: expiry(config, readyAt, request.days) } });
  return 202;
}

function durationOf(config: ColdTierConfig, { storageClass }: Archived, tier: Tier): number {
  const durations: Partial<Record<Tier, number>> = config.restoreMilliseconds[storageClass];
  const milliseconds = durations[tier];
  if (milliseconds === undefined) throw new S3Refusal(400, 'InvalidArgument', 'Retrieval option is not supported by this storage class');
  return milliseconds;
}

const expedited = (state: ArchiveState, now: number): number => state.restoring(now).filter(({ tier }) => tier === 'Expedited').length;

/** So many days on, and then the next midnight UTC. */
const expiry = ({ dayMilliseconds }: ColdTierConfig, from: number, days: number): number =>
  Math.ceil((from + days * dayMilliseconds) / dayMilliseconds) * dayMilliseconds;
