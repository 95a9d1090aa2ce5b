/** Where manifests lie: the electors of a key, what each of them holds, and which manifest counts. */
import { createHash } from 'node:crypto';
import type { RackStore } from '../../drivers/rack-store/port.ts';
import { PenstockError } from '../../model/errors.ts';
import { DATA_SHARDS, MANIFEST_ELECTORS, manifestKey, PARITY_SHARDS, shardBytes, shardKey } from './layout.ts';
import { type ErasureManifest, layoutOf, missingShards, parseManifest } from './manifest.ts';
import { isType, messageOf, type Patience, within } from './patience.ts';

export interface SurveyOptions {
  readonly patience: Patience;
  readonly signal?: AbortSignal | undefined;
}

export type ManifestCopy =
  | { readonly rack: RackStore; readonly state: 'present'; readonly manifest: ErasureManifest }
  | { readonly rack: RackStore; readonly state: 'absent' }
  | { readonly rack: RackStore; readonly state: 'damaged' | 'unreachable'; readonly problem: string };

/** The racks that may hold the key's manifest, in rank order. By the key alone, so that concurrent writers meet. */
export function electorsFor(key: string, racks: readonly RackStore[]): RackStore[] {
  return racks
    .map((rack) => ({ rack, rank: createHash('sha256').update(`${key}\0${rack.id}`).digest() }))
    .sort((a, b) => Buffer.compare(a.rank, b.rank))
    .slice(0, MANIFEST_ELECTORS)
    .map(({ rack }) => rack);
}

/** What each rack holds under the key, in the racks' order. Rejects only where the signal is aborted. */
export function surveyManifests(racks: readonly RackStore[], key: string, options: SurveyOptions): Promise<ManifestCopy[]> {
  return Promise.all(
    racks.map(async (rack): Promise<ManifestCopy> => {
      try {
        const body = await within(
          options.patience.requestMilliseconds,
          rack.id,
          'reading a manifest',
          (signal) => rack.readManifest(manifestKey(key), { signal }),
          options.signal,
        );
        return body ? { rack, state: 'present', manifest: parseManifest(body, key) } : { rack, state: 'absent' };
      } catch (error) {
        options.signal?.throwIfAborted();
        return { rack, state: isType(error, 'CorruptSource') || isType(error, 'ChecksumMismatch') ? 'damaged' : 'unreachable', problem: messageOf(error) };
      }
    }),
  );
}

export interface LeadingManifest {
  readonly manifest: ErasureManifest;
  readonly holders: readonly RackStore[];
}

/** The manifest with most copies, then that of the highest rank. */
export function leadingManifest(copies: readonly ManifestCopy[]): LeadingManifest | undefined {
  const present = copies.filter((copy) => copy.state === 'present');
  const groups = [...Map.groupBy(present, (copy) => copy.manifest.writeId).values()];
  const [first] = groups
    .sort((a, b) => b.length - a.length)
    .map((group) => ({
      manifest: group[0]?.manifest,
      holders: group.map((copy) => copy.rack),
    }));
  return first?.manifest && { manifest: first.manifest, holders: first.holders };
}

/** Undefined where there is no such object. StoreUnavailable where too many racks are silent to say so. */
export async function findManifest(racks: readonly RackStore[], key: string, options: SurveyOptions): Promise<LeadingManifest | undefined> {
  const electors = electorsFor(key, racks);
  const asked = await surveyManifests(electors, key, options);
  const found = leadingManifest(asked);
  if (found) return found;
  // Racks that joined since the commit may have pushed its holders out of the electors.
  const others = await surveyManifests(
    racks.filter((rack) => !electors.includes(rack)),
    key,
    options,
  );
  const elsewhere = leadingManifest(others);
  if (elsewhere) return elsewhere;
  const silent = [...asked, ...others].flatMap((copy) => ('problem' in copy ? [`${copy.rack.id} (${copy.problem})`] : []));
  if (silent.length <= PARITY_SHARDS) return undefined;
  throw new PenstockError(
    'StoreUnavailable',
    `no manifest of ${JSON.stringify(key)} was found, but ${silent.length} racks could not be asked: ${silent.join(', ')}`,
  );
}

/** restorable: 14 shards are there now. dead: it can never be read again, even if every silent rack comes back. */
export interface Standing {
  readonly state: 'restorable' | 'dead' | 'doubtful';
  /** Shards that were not seen: never written, gone, of a wrong length, or on a silent rack. */
  readonly missing: readonly number[];
}

export async function standingOf(manifest: ErasureManifest, racks: readonly RackStore[], options: SurveyOptions): Promise<Standing> {
  const expected = shardBytes(layoutOf(manifest));
  const answers = await Promise.all(
    manifest.shards.map(async ({ index, rack: rackId }) => {
      const rack = racks.find(({ id }) => id === rackId);
      if (!rack) return { index, state: 'silent' };
      try {
        const key = shardKey(manifest.key, manifest.writeId, index);
        const bytes = await within(
          options.patience.requestMilliseconds,
          rack.id,
          'looking for a shard',
          (signal) => rack.shardBytes(key, { signal }),
          options.signal,
        );
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
