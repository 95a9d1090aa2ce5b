/**
 * The commit of a generation: five copies of a manifest among the key's nine electors, each put only where none is. docs/formats/erasure.md
 * ("Writing and commit") says why this has one winner. Whether it is decided is always read back, never inferred from a put's answer.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { RackStore } from '../../drivers/rack-store/port.ts';
import { isType, PenstockError } from '../../model/errors.ts';
import { leaderOf, removeStrays, surveyElectors } from './contested.ts';
import { laterGenerations, listManifests } from './generations.ts';
import { laterManifestKey, MANIFEST_COPIES, manifestKey } from './layout.ts';
import { attemptOf, type ErasureManifest, encodeManifest, generationOf, manifestNameOf } from './manifest.ts';
import {
  electorsFor,
  groupsOf,
  type LeadingManifest,
  leadingManifest,
  type ManifestCopy,
  type SurveyOptions,
  standingOf,
  standingOfWrite,
  surveyManifests,
} from './manifest-copies.ts';
import { askRack, withLastChance } from './rack-memory.ts';
import { removeCopies } from './remove-copies.ts';

export type CommitResult =
  | { readonly state: 'committed' }
  /** Another manifest is committed: another writer's, another repair's, or a later generation. `withdrawn`: none of ours is left, so that our shards may go. `missing`: the winner's shards to repair. */
  | { readonly state: 'lost'; readonly winner: ErasureManifest; readonly missing: readonly number[]; readonly withdrawn: boolean };

/** Retryable. A copy of ours may exist and others may already have built on it: our shards must stay for the next attempt to complete. */
export class CommitInDoubt extends PenstockError {}

/** Helping another writer, being helped, or a rack failing in between each cost a round; none repeats without one of these. */
const MAX_ROUNDS = 6;

/** Rejects with {@link CommitInDoubt}, or with StoreUnavailable where certainly nothing was put. */
export async function commitManifest(racks: readonly RackStore[], own: ErasureManifest, given: SurveyOptions): Promise<CommitResult> {
  const electors = electorsFor(own.key, racks);
  // Over both attempts of the last chance: what the first one may have put, the second need not see.
  let ownMayExist = false;
  try {
    return await withLastChance(electors, given.patience, (patience) => attempt({ ...given, patience }));
  } catch (error) {
    if (!ownMayExist || error instanceof CommitInDoubt || isType(error, 'NotFound')) throw error;
    throw new CommitInDoubt('StoreUnavailable', `the commit of ${JSON.stringify(own.key)} was interrupted.`, { cause: error });
  }

  async function attempt(options: SurveyOptions): Promise<CommitResult> {
    let trouble = `only ${electors.length} racks`;
    for (let round = 1; round <= MAX_ROUNDS; round++) {
      const copies = await surveyElectors(electors, manifestNameOf(own), options);
      ownMayExist ||= copies.some((copy) => isCopyOf(copy, own));
      const leader = (await leaderOf(copies, racks, options)) ?? { manifest: own, holders: [] };
      const isOwn = attemptOf(leader.manifest) === attemptOf(own);
      const isDecided = leader.holders.length >= MANIFEST_COPIES;
      if (isDecided && own.generation !== undefined) {
        const later = await overtakenBy(leader.manifest, electors, racks, options);
        if (later) return await lostTo(later, own, electors, racks, options);
      }
      if (isDecided) await removeStrays(leader, copies, manifestNameOf(own), racks, options);
      if (isOwn && isDecided) return { state: 'committed' };

      const standing = await standingOfWrite(leader.manifest, racks, options);
      if (!isOwn && standing.state === 'dead') {
        await removeCopies(leader.holders, manifestNameOf(own), (copy) => isCopyOf(copy, leader.manifest), options);
      } else if (isDecided) {
        const withdrawn = !ownMayExist || (await withdraw(own, electors, options));
        return { state: 'lost', winner: leader.manifest, missing: standing.missing, withdrawn };
      } else if (standing.state === 'restorable') {
        ownMayExist ||= isOwn;
        await putCopies(leader, copies, options);
      } else {
        // Our own shards can only have gone because someone gave this attempt up, or removed the object: it must not be offered again.
        if (isOwn && standing.state === 'dead' && (await withdraw(own, electors, options))) ownMayExist = false;
        throw unsettled(own.key, `the shards ${standing.missing.join(', ')} of write ${leader.manifest.writeId} are not there`, ownMayExist);
      }
      trouble = describe(copies);
      if (round > 1) await sleep(round * 20, undefined, options.signal ? { signal: options.signal } : {});
    }
    throw unsettled(own.key, trouble, ownMayExist);
  }
}

/**
 * Of a later generation: the one that has come after it, for a repair that was asleep meanwhile may have found its own names free again. Whoever commits a
 * generation has its copies on five electors before the one below goes, so that five that answer know of it. NotFound where the object is another one by now.
 */
async function overtakenBy(
  manifest: ErasureManifest,
  electors: readonly RackStore[],
  racks: readonly RackStore[],
  options: SurveyOptions,
): Promise<ErasureManifest | undefined> {
  const { key, writeId } = manifest;
  const isOfWrite = (copy: ManifestCopy): boolean => copy.state === 'present' && copy.manifest.writeId === writeId;
  let firsts = await surveyManifests(electors, manifestKey(key), options);
  // Not all on the electors: racks were lost, or others have joined and pushed holders out.
  const isWhole = firsts.filter(isOfWrite).length >= MANIFEST_COPIES;
  if (!isWhole) firsts = await surveyManifests(racks, manifestKey(key), options);
  const { listed, answered } = await listManifests(isWhole ? electors : racks, key, options);
  const isMissed = firsts.some((copy) => 'problem' in copy);
  const [leader] = groupsOf(firsts);
  const isAnothers = leader !== undefined && leader.manifest.writeId !== writeId && leader.holders.length >= MANIFEST_COPIES;
  if (isAnothers || (!firsts.some(isOfWrite) && !isMissed)) {
    await withdraw(manifest, electors, options);
    throw new PenstockError('NotFound', `${JSON.stringify(key)} was removed while it was repaired.`);
  }
  for (const generation of laterGenerations(listed, writeId, generationOf(manifest))) {
    const leader = leadingManifest(await surveyManifests(racks, laterManifestKey(key, writeId, generation), options));
    if (leader && (await standingOf(leader.manifest, racks, options)).state !== 'dead') return leader.manifest;
  }
  const answering = answered.filter((rack) => electors.includes(rack)).length;
  if (answering >= MANIFEST_COPIES) return undefined;
  throw unsettled(key, `${answering} of its electors answer, ${MANIFEST_COPIES} are needed to know whether it was repaired by others`, true);
}

async function lostTo(
  later: ErasureManifest,
  own: ErasureManifest,
  electors: readonly RackStore[],
  racks: readonly RackStore[],
  options: SurveyOptions,
): Promise<CommitResult> {
  const withdrawn = await withdraw(own, electors, options);
  // Committed long ago and built upon since: its shards are in use.
  if (later.shards.some(({ repairId }) => repairId === own.repairId)) return { state: 'committed' };
  return { state: 'lost', winner: later, missing: (await standingOf(later, racks, options)).missing, withdrawn };
}

/** Rank order and one at a time: two writers then meet at the first elector both can reach, and one of them helps. */
async function putCopies(leader: LeadingManifest, copies: readonly ManifestCopy[], options: SurveyOptions): Promise<void> {
  const body = encodeManifest(leader.manifest);
  let needed = MANIFEST_COPIES - leader.holders.length;
  for (const { rack, state } of copies) {
    if (needed === 0) return;
    if (state !== 'absent') continue;
    try {
      await askRack(rack, 'writing a manifest', options, (signal) => rack.writeManifest(manifestNameOf(leader.manifest), body, { signal }));
      needed--;
    } catch (error) {
      options.signal?.throwIfAborted();
      // Someone was faster: look again who leads. Any other failure: the next elector will do.
      if (isType(error, 'Conflict')) return;
    }
  }
}

/** @returns whether certainly no copy of ours is left */
export async function withdraw(own: ErasureManifest, electors: readonly RackStore[], options: SurveyOptions): Promise<boolean> {
  const copies = await surveyManifests(electors, manifestNameOf(own), options);
  const strays = copies.filter((copy) => isCopyOf(copy, own)).map(({ rack }) => rack);
  const left = await removeCopies(strays, manifestNameOf(own), (copy) => isCopyOf(copy, own), options);
  return left.size === 0 && copies.every(({ state }) => state !== 'unreachable');
}

function unsettled(key: string, why: string, ownMayExist: boolean): PenstockError {
  const message = `${JSON.stringify(key)} could not be committed to ${MANIFEST_COPIES} racks: ${why}.`;
  return ownMayExist
    ? new CommitInDoubt('StoreUnavailable', message, { nextStep: 'The next attempt completes it.' })
    : new PenstockError('StoreUnavailable', message, { nextStep: 'Nothing was written; try again.' });
}

export function isCopyOf(copy: ManifestCopy, manifest: ErasureManifest): boolean {
  return copy.state === 'present' && attemptOf(copy.manifest) === attemptOf(manifest);
}

function describe(copies: readonly ManifestCopy[]): string {
  return copies.map((copy) => `${copy.rack.id} ${copy.state === 'present' ? `holds ${attemptOf(copy.manifest)}` : copy.state}`).join(', ');
}
