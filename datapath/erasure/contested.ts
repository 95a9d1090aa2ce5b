/** Where copies of several attempts lie under one manifest's name: which of them counts, and when that cannot be told. */
import type { RackStore } from '../../drivers/rack-store/port.ts';
import { PenstockError } from '../../model/errors.ts';
import { MANIFEST_COPIES } from './layout.ts';
import { attemptOf, sameContent } from './manifest.ts';
import { groupsOf, type LeadingManifest, type ManifestCopy, type SurveyOptions, standingOfWrite, surveyManifests } from './manifest-copies.ts';
import { removeCopies } from './remove-copies.ts';

/** Retryable. Several contents have copies, none has five that can be seen, and the one that was committed may be any of them. */
export class ContestedManifest extends PenstockError {}

/** As {@link surveyManifests}; where several attempts have copies and none five, all that answer are waited for. */
export async function surveyElectors(electors: readonly RackStore[], name: string, options: SurveyOptions): Promise<ManifestCopy[]> {
  const copies = await surveyManifests(electors, name, options);
  const [leader, rival] = groupsOf(copies);
  const isOpen = rival !== undefined && leader !== undefined && leader.holders.length < MANIFEST_COPIES;
  return isOpen && options.isHasty ? await surveyManifests(electors, name, { ...options, isHasty: false }) : copies;
}

/**
 * The attempt that has five copies; where none has, that with most, of those whose shards are not provably gone. {@link ContestedManifest} where those have different
 * contents: copies of a committed one may be lost or silent, so that their number says nothing.
 */
export async function leaderOf(copies: readonly ManifestCopy[], racks: readonly RackStore[], options: SurveyOptions): Promise<LeadingManifest | undefined> {
  const groups = groupsOf(copies);
  const [leader] = groups;
  if (!leader || groups.length === 1 || leader.holders.length >= MANIFEST_COPIES) return leader;
  const standings = await Promise.all(groups.map(async ({ manifest }) => await standingOfWrite(manifest, racks, options)));
  const living = groups.filter((_, index) => standings[index]?.state !== 'dead');
  const [first = leader] = living;
  if (living.every(({ manifest }) => sameContent(manifest, first.manifest))) return first;
  const claims = living.map(({ manifest, holders }) => `write ${manifest.writeId}, ${manifest.bytes} bytes, on ${holders.map(({ id }) => id).join(', ')}`);
  throw new ContestedManifest(
    'StoreUnavailable',
    `${JSON.stringify(leader.manifest.key)} has manifests of ${living.length} contents, none with ${MANIFEST_COPIES} copies that answer: ${claims.join('; ')}.`,
    {
      nextStep:
        'Bring back the racks that do not answer. Where all do, whoever wrote it knows which content was meant: delete the other manifest on the racks named.',
    },
  );
}

/**
 * What other attempts left beside a decided manifest: were its holders lost, they would stand for it. Two sets of five of nine meet, so that none of them can be decided on
 * these electors; where one has five copies on all racks, it may have been decided among others, and nothing is touched.
 */
export async function removeStrays(
  leader: LeadingManifest,
  copies: readonly ManifestCopy[],
  name: string,
  racks: readonly RackStore[],
  options: SurveyOptions,
): Promise<void> {
  const isStray = (copy: ManifestCopy): boolean => copy.state === 'present' && attemptOf(copy.manifest) !== attemptOf(leader.manifest);
  const holders = copies.filter(isStray).map(({ rack }) => rack);
  if (holders.length === 0) return;
  const everywhere = groupsOf(await surveyManifests(racks, name, options));
  if (everywhere.some(({ manifest, holders: all }) => attemptOf(manifest) !== attemptOf(leader.manifest) && all.length >= MANIFEST_COPIES)) return;
  await removeCopies(holders, name, isStray, options);
}
