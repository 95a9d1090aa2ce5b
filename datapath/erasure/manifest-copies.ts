/** Where manifests lie: the electors of a key, what each of them holds, and which manifest counts. */
import { createHash } from 'node:crypto';
import type { RackStore } from '../../drivers/rack-store/port.ts';
import { isType, messageOf, PenstockError } from '../../model/errors.ts';
import { leaderOf, surveyElectors } from './contested.ts';
import { type ListedManifest, type ListedManifests, laterGenerations, listManifests } from './generations.ts';
import { DATA_SHARDS, laterManifestKey, MANIFEST_COPIES, MANIFEST_ELECTORS, manifestKey, PARITY_SHARDS, shardBytes } from './layout.ts';
import { attemptOf, type ErasureManifest, layoutOf, missingShards, parseManifest, shardNameOf } from './manifest.ts';
import { mostOf, type Patience } from './patience.ts';
import { askRack, withLastChance } from './rack-memory.ts';

export interface SurveyOptions {
  readonly patience: Patience;
  readonly signal?: AbortSignal | undefined;
  /** Silent racks are not waited for once all but four of those asked have answered: whatever is committed is among these. */
  readonly isHasty?: boolean | undefined;
}

export type ManifestCopy =
  | { readonly rack: RackStore; readonly state: 'present'; readonly manifest: ErasureManifest; readonly body: Buffer }
  | { readonly rack: RackStore; readonly state: 'absent' }
  /** The body is undefined where the rack itself says that what it has is no manifest. */
  | { readonly rack: RackStore; readonly state: 'damaged'; readonly problem: string; readonly body: Buffer | undefined }
  | { readonly rack: RackStore; readonly state: 'unreachable'; readonly problem: string };

/**
 * The racks that may hold the key's manifest, in rank order. By the key alone, so that concurrent writers meet: a quarantine, which comes and goes, changes
 * nothing here; racks outside the allowed jurisdictions are none, for a manifest names what it is about.
 */
export function electorsFor(key: string, racks: readonly RackStore[]): RackStore[] {
  return racks
    .filter(({ closed }) => closed?.kind !== 'foreign')
    .map((rack) => ({ rack, rank: createHash('sha256').update(`${key}\0${rack.id}`).digest() }))
    .sort((a, b) => Buffer.compare(a.rank, b.rank))
    .slice(0, MANIFEST_ELECTORS)
    .map(({ rack }) => rack);
}

/** What each rack holds under a manifest's name, in the racks' order. Rejects only where the signal is aborted. */
export async function surveyManifests(racks: readonly RackStore[], name: string, options: SurveyOptions): Promise<ManifestCopy[]> {
  const asked = racks.map(async (rack): Promise<ManifestCopy> => {
    let body: Buffer | undefined;
    try {
      body = await askRack(rack, 'reading a manifest', options, (signal) => rack.readManifest(name, { signal }));
      return body ? { rack, state: 'present', manifest: parseManifest(body, name), body } : { rack, state: 'absent' };
    } catch (error) {
      options.signal?.throwIfAborted();
      const problem = messageOf(error);
      const isDamaged = isType(error, 'CorruptSource', 'ChecksumMismatch');
      return isDamaged ? { rack, state: 'damaged', problem, body } : { rack, state: 'unreachable', problem };
    }
  });
  const copies = await mostOf(asked, enoughOf(racks, options), ({ state }) => state === 'present' || state === 'absent');
  return racks.map((rack, index) => copies[index] ?? { rack, state: 'unreachable', problem: 'it did not answer in time' });
}

/** How many answers do, of so many racks. */
export const enoughOf = ({ length }: readonly RackStore[], { isHasty }: SurveyOptions): number => (isHasty ? Math.max(1, length - PARITY_SHARDS) : length);

export interface LeadingManifest {
  readonly manifest: ErasureManifest;
  readonly holders: readonly RackStore[];
  /** Of a first generation: the racks that did not list their manifests, and why, where a later generation may be known to those alone. */
  readonly doubt?: string;
}

/** The attempts that have copies: that with most copies first, then that of the highest rank. */
export function groupsOf(copies: readonly ManifestCopy[]): LeadingManifest[] {
  const present = copies.filter((copy) => copy.state === 'present');
  return [...Map.groupBy(present, (copy) => attemptOf(copy.manifest)).values()]
    .sort((a, b) => b.length - a.length)
    .flatMap((group) => (group[0] ? [{ manifest: group[0].manifest, holders: group.map((copy) => copy.rack) }] : []));
}

export const leadingManifest = (copies: readonly ManifestCopy[]): LeadingManifest | undefined => groupsOf(copies)[0];

/**
 * The manifest of the first generation says whose the key is; the answer is that write's highest generation whose shards can be restored. Undefined where
 * there is no such object. StoreUnavailable where too many racks are silent to say so.
 */
export async function findManifest(racks: readonly RackStore[], key: string, options: SurveyOptions): Promise<LeadingManifest | undefined> {
  return await withLastChance(racks, options.patience, (patience) => findAmong(racks, key, { ...options, patience }));
}

async function findAmong(racks: readonly RackStore[], key: string, options: SurveyOptions): Promise<LeadingManifest | undefined> {
  const electors = electorsFor(key, racks);
  const [asked, listing] = await Promise.all([surveyElectors(electors, manifestKey(key), options), listManifests(electors, key, options)]);
  const found = await leaderOf(asked, racks, options);
  if (found) {
    // Fewer copies than were committed: racks were lost, or others have joined and pushed holders out of the electors.
    const isWhole = found.holders.length >= MANIFEST_COPIES && listing.answered.length >= MANIFEST_COPIES;
    return await latestOf(found, racks, isWhole ? listing : await listManifests(racks, key, options), options);
  }
  const rest = racks.filter((rack) => !electors.includes(rack));
  const others = await surveyElectors(rest, manifestKey(key), options);
  const elsewhere = await leaderOf(others, racks, options);
  if (elsewhere) return await latestOf(elsewhere, racks, await listManifests(racks, key, options), options);
  const silent = [...asked, ...others].flatMap((copy) => ('problem' in copy ? [`${copy.rack.id} (${copy.problem})`] : []));
  if (silent.length <= PARITY_SHARDS) return undefined;
  throw new PenstockError(
    'StoreUnavailable',
    `no manifest of ${JSON.stringify(key)} was found, but ${silent.length} racks could not be asked: ${silent.join(', ')}`,
  );
}

async function latestOf(
  first: LeadingManifest,
  racks: readonly RackStore[],
  { listed, answered, silent }: ListedManifests,
  options: SurveyOptions,
): Promise<LeadingManifest> {
  const later = await laterManifest(racks, first.manifest, listed, options);
  if (later) return later;
  const electors = electorsFor(first.manifest.key, racks);
  if (answered.filter((rack) => electors.includes(rack)).length >= Math.min(MANIFEST_COPIES, electors.length)) return first;
  return { ...first, doubt: silent.map(([id, problem]) => `${id} (${problem})`).join(', ') };
}

/** The highest generation above the first that can be restored; where none can, and the first one neither, the highest that there is. */
async function laterManifest(
  racks: readonly RackStore[],
  first: ErasureManifest,
  listed: readonly ListedManifest[],
  options: SurveyOptions,
): Promise<LeadingManifest | undefined> {
  let highest: LeadingManifest | undefined;
  for (const generation of laterGenerations(listed, first.writeId)) {
    const name = laterManifestKey(first.key, first.writeId, generation);
    const holders = listed.filter((each) => each.name === name).map(({ rack }) => rack);
    // Of two repairs' that are both there, the one that was not committed may no longer have its shards.
    for (const each of groupsOf(await surveyManifests(holders, name, options))) {
      // A committed one is at least as good as those before it.
      if (each.holders.length >= MANIFEST_COPIES || (await standingOf(each.manifest, racks, options)).state === 'restorable') return each;
      highest ??= each;
    }
  }
  return highest && (await standingOf(first, racks, options)).state !== 'restorable' ? highest : undefined;
}

/** restorable: 14 shards are there now. dead: it can never be read again, even if every silent rack comes back. */
export interface Standing {
  readonly state: 'restorable' | 'dead' | 'doubtful';
  /** Shards that were not seen: never written, gone, of a wrong length, or on a silent rack. */
  readonly missing: readonly number[];
}

export async function standingOf(manifest: ErasureManifest, racks: readonly RackStore[], options: SurveyOptions): Promise<Standing> {
  const look = (patience: Patience) => standingNow(manifest, racks, { ...options, patience });
  return await withLastChance(racks, options.patience, look, ({ state }) => state !== 'doubtful');
}

async function standingNow(manifest: ErasureManifest, racks: readonly RackStore[], options: SurveyOptions): Promise<Standing> {
  const expected = shardBytes(layoutOf(manifest));
  const answers = await Promise.all(
    manifest.shards.map(async (shard) => {
      const { index, rack: rackId } = shard;
      const rack = racks.find(({ id }) => id === rackId);
      if (!rack) return { index, state: 'silent' };
      try {
        const key = shardNameOf(manifest, shard);
        const bytes = await askRack(rack, 'looking for a shard', options, (signal) => rack.shardBytes(key, { signal }));
        return { index, state: bytes === expected ? 'present' : 'absent' };
      } catch {
        options.signal?.throwIfAborted();
        return { index, state: 'silent' };
      }
    }),
  );
  const present = answers.filter(({ state }) => state === 'present').length;
  const silent = answers.filter(({ state }) => state === 'silent').length;
  const unseen = answers.filter(({ state }) => state !== 'present').map(({ index }) => index);
  return {
    state: present >= DATA_SHARDS ? 'restorable' : present + silent < DATA_SHARDS ? 'dead' : 'doubtful',
    missing: [...missingShards(manifest), ...unseen].sort((a, b) => a - b),
  };
}

/** Of the write, whichever generation its shards are placed by now: those of the first one may have been replaced one by one. */
export async function standingOfWrite(manifest: ErasureManifest, racks: readonly RackStore[], options: SurveyOptions): Promise<Standing> {
  const standing = await standingOf(manifest, racks, options);
  if (standing.state === 'restorable' || manifest.generation !== undefined) return standing;
  const { listed, silent } = await listManifests(racks, manifest.key, options);
  const later = await laterManifest(racks, manifest, listed, options);
  if (later) return await standingOf(later.manifest, racks, options);
  // A later generation has five copies: where five racks are silent, one may be known to them alone.
  return silent.length > PARITY_SHARDS ? { ...standing, state: 'doubtful' } : standing;
}
