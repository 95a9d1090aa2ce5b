/**
 * Repairs one object: its manifest's copies, then its shards. Rebuilt shards count once a manifest that names them is committed as the next generation; until then
 * nothing of the object has changed, and afterwards only what nobody needs any more is removed. docs/formats/erasure.md has the rules, and why a crash loses nothing.
 */
import type { RackStore } from '../../drivers/rack-store/port.ts';
import { PenstockError } from '../../model/errors.ts';
import type { CodecPool } from './codec-pool.ts';
import { CommitInDoubt, type CommitResult, commitManifest, isCopyOf, withdraw } from './commit.ts';
import { isRepairDue } from './findings.ts';
import { checkKey, DATA_SHARDS, MANIFEST_COPIES, manifestKey, newRepairId, shardBytes } from './layout.ts';
import { type ErasureManifest, generationOf, layoutOf, manifestNameOf, missingShards, type PlacedShardEntry, shardNameOf } from './manifest.ts';
import { electorsFor, findManifest, type SurveyOptions, standingOf, standingOfWrite, surveyManifests } from './manifest-copies.ts';
import { defaultPatience, type Patience } from './patience.ts';
import { askRack } from './rack-memory.ts';
import { problemOfShard, rebuildShards } from './rebuild.ts';
import { rebuildTargets } from './rebuild-targets.ts';
import { removeCopies } from './remove-copies.ts';
import { tidyObject } from './tidy.ts';

/** A shard that somebody found wrong, as the manifest named it then. */
export interface SuspectShard extends PlacedShardEntry {
  /** rotten is believed; lost is looked at again, for a rack may be back. */
  readonly state: 'rotten' | 'lost';
}

export interface RepairErasureObject {
  readonly racks: readonly RackStore[];
  readonly key: string;
  readonly suspects?: readonly SuspectShard[] | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly codec?: CodecPool | undefined;
  readonly patience?: Patience | undefined;
  /** Awaited before so many bytes are read from racks. */
  readonly pace?: ((bytes: number) => Promise<void>) | undefined;
  /** Bytes of shards made so far. */
  readonly onProgress?: ((bytes: number) => void) | undefined;
}

export interface RepairedErasureObject {
  /** sound: there was nothing to rebuild. repaired: rebuilt shards are committed. overtaken: another repair was faster; what is left is told by a repeat. */
  readonly outcome: 'sound' | 'repaired' | 'overtaken';
  readonly manifest: ErasureManifest;
  readonly rebuilt: readonly PlacedShardEntry[];
  readonly rebuiltBytes: number;
  /** Indices that are still not sound, for want of a rack that takes them. */
  readonly left: readonly number[];
  /** Racks that failed meanwhile, and why. */
  readonly failures: readonly string[];
}

/** A round for what was found rotten while the others were rebuilt. */
const MAX_ROUNDS = 3;

/**
 * May be repeated, and run twice at once: one wins. NotFound where there is no such object; NotEnoughShards, naming the racks, where fewer than 14 shards
 * are there now; OutOfSpace or StoreUnavailable where no rack can take a shard, or too few electors answer.
 */
export async function repairErasureObject(request: RepairErasureObject): Promise<RepairedErasureObject> {
  checkKey(request.key);
  const survey: SurveyOptions = { patience: request.patience ?? defaultPatience, signal: request.signal };
  const suspects = [...(request.suspects ?? [])];
  let before: RepairedErasureObject | undefined;
  for (let round = 1; ; round++) {
    const base = await committedManifest(request.racks, request.key, survey);
    const unsound = await unsoundShards(base, suspects, request, survey);
    if (unsound.length === 0) {
      await tidyObject({ racks: request.racks, manifest: base }, survey);
      return before ?? { outcome: 'sound', manifest: base, rebuilt: [], rebuiltBytes: 0, left: [], failures: [] };
    }
    const result = await rebuildAndCommit(base, unsound, request, survey);
    const done: RepairedErasureObject = before
      ? { ...result, outcome: before.outcome, rebuilt: [...before.rebuilt, ...result.rebuilt], rebuiltBytes: before.rebuiltBytes + result.rebuiltBytes }
      : result;
    const found = result.alsoRotten.filter(({ index }) => !suspects.some((each) => each.index === index));
    if (found.length === 0 || round === MAX_ROUNDS || result.outcome === 'overtaken') return done;
    suspects.push(...found);
    before = done;
  }
}

/** The manifest that counts, with all its copies, and those of the first generation. Damaged copies are replaced. */
async function committedManifest(racks: readonly RackStore[], key: string, survey: SurveyOptions): Promise<ErasureManifest> {
  const found = await findManifest(racks, key, survey);
  if (!found) throw new PenstockError('NotFound', `the erasure set has no object ${JSON.stringify(key)}.`);
  await demandRestorable(found.manifest, racks, survey);
  const firsts = await surveyManifests(racks, manifestKey(key), survey);
  const first = firsts.find((copy) => copy.state === 'present' && copy.manifest.writeId === found.manifest.writeId);
  let current = found.manifest;
  // The current one before the first: electors that hold the first one are asked for the current one, and no others.
  const manifests = current.generation === undefined || first?.state !== 'present' ? [current] : [current, first.manifest];
  for (const manifest of manifests) {
    const result = await recommit(manifest, racks, survey);
    if (result.state === 'lost') current = result.winner;
  }
  return current;
}

/** NotFound where the object was removed meanwhile: what was put back is taken away again. */
async function recommit(manifest: ErasureManifest, racks: readonly RackStore[], survey: SurveyOptions): Promise<CommitResult> {
  const electors = electorsFor(manifest.key, racks);
  const copies = await surveyManifests(electors, manifestNameOf(manifest), survey);
  // One by one, each replaced by the commit below: a copy that cannot be read stands in its way.
  const damaged = copies.filter(({ state }) => state === 'damaged').map(({ rack }) => rack);
  await removeCopies(damaged, manifestNameOf(manifest), ({ state }) => state === 'damaged', survey);
  const wasWhole = copies.filter((copy) => isCopyOf(copy, manifest)).length >= MANIFEST_COPIES;
  const result = await commitManifest(racks, manifest, survey);
  if (wasWhole || result.state === 'lost' || (await standingOfWrite(manifest, racks, survey)).state !== 'dead') return result;
  await withdraw(manifest, electors, survey);
  throw new PenstockError('NotFound', `${JSON.stringify(manifest.key)} was removed while it was repaired.`);
}

async function demandRestorable(manifest: ErasureManifest, racks: readonly RackStore[], survey: SurveyOptions): Promise<void> {
  const { state, missing } = await standingOf(manifest, racks, survey);
  if (state === 'restorable') return;
  const where = manifest.shards.filter(({ index }) => missing.includes(index)).map(({ index, rack }) => `${rack} (shard ${index})`);
  throw new PenstockError(
    'NotEnoughShards',
    `${JSON.stringify(manifest.key)} cannot be repaired now: ${manifest.shards.length - where.length} of the ${DATA_SHARDS} shards needed are there; not seen: ${where.join(', ')}.`,
    { nextStep: 'Bring back enough of the racks named.' },
  );
}

async function unsoundShards(base: ErasureManifest, suspects: readonly SuspectShard[], request: RepairErasureObject, survey: SurveyOptions): Promise<number[]> {
  const { missing } = await standingOf(base, request.racks, survey);
  const unsound = new Set(missing);
  for (const shard of base.shards) {
    const suspect = suspects.find(({ index, rack, repairId }) => index === shard.index && rack === shard.rack && repairId === shard.repairId);
    if (!suspect || unsound.has(shard.index)) continue;
    const rack = request.racks.find(({ id }) => id === shard.rack);
    if (suspect.state === 'rotten' || (await problemOfShard(base, shard, rack, { ...survey, pace: request.pace }))) unsound.add(shard.index);
  }
  return [...unsound].sort((a, b) => a - b);
}

async function rebuildAndCommit(
  base: ErasureManifest,
  unsound: readonly number[],
  request: RepairErasureObject,
  survey: SurveyOptions,
): Promise<RepairedErasureObject & { readonly alsoRotten: readonly SuspectShard[] }> {
  const { racks, codec, pace, onProgress } = request;
  const targets = await rebuildTargets(racks, base, unsound, survey);
  const repairId = newRepairId();
  const tried = targets.map(({ index, rack }): PlacedShardEntry => ({ index, rack: rack.id, repairId }));
  try {
    // What is known to be wrong is not read: a rotten cell of a shard that goes anyway is no reason to look for another source.
    const readable = { ...base, shards: base.shards.filter(({ index }) => !unsound.includes(index)) };
    const source = readable.shards.length >= DATA_SHARDS ? readable : base;
    const made = await rebuildShards({ racks, manifest: source, targets, repairId, ...survey, codec, pace, onProgress });
    const alsoRotten = base.shards.flatMap((shard): SuspectShard[] => {
      const found = made.findings.find((finding) => finding.index === shard.index && isRepairDue(finding));
      return found && !unsound.includes(shard.index) ? [{ ...shard, state: found.kind === 'rotten' ? 'rotten' : 'lost' }] : [];
    });
    const left = unsound.filter((index) => !made.shards.some((shard) => shard.index === index));
    if (made.shards.length === 0)
      throw new PenstockError('StoreUnavailable', `no rebuilt shard of ${JSON.stringify(base.key)} is sound: ${made.failures.join(', ')}.`);
    const manifest = nextGeneration(base, made.shards, repairId);
    const result = await commitManifest(racks, manifest, survey);
    if (result.state === 'lost') {
      if (result.withdrawn) await removeMade(racks, base, tried, survey);
      return { outcome: 'overtaken', manifest: result.winner, rebuilt: [], rebuiltBytes: 0, left: result.missing, failures: made.failures, alsoRotten };
    }
    await removeMade(
      racks,
      base,
      tried.filter(({ index }) => left.includes(index)),
      survey,
    );
    await tidyObject({ racks, manifest, replaced: base }, survey);
    const rebuiltBytes = made.shards.length * shardBytes(layoutOf(base));
    return { outcome: 'repaired', manifest, rebuilt: made.shards, rebuiltBytes, left, failures: made.failures, alsoRotten };
  } catch (error) {
    // In doubt, others may build on it: the next repair completes it.
    if (!(error instanceof CommitInDoubt)) await removeMade(racks, base, tried, survey);
    throw error;
  }
}

function nextGeneration(base: ErasureManifest, made: readonly PlacedShardEntry[], repairId: string): ErasureManifest {
  const indices = new Set(made.map(({ index }) => index));
  const taken = new Set(made.map(({ rack }) => rack));
  // One that could not be rebuilt stays named, for its rack may come back; unless a rebuilt one has taken its place there.
  const kept = base.shards.filter(({ index, rack }) => !indices.has(index) && !taken.has(rack));
  return { ...base, generation: generationOf(base) + 1, repairId, shards: [...kept, ...made].sort((a, b) => a.index - b.index) };
}

const CLEAN_UP_MILLISECONDS = 2_000;

/** Without the caller's signal, for a cancelled repair must clean up too; what a silent rack keeps is collected by its age. */
async function removeMade(racks: readonly RackStore[], base: ErasureManifest, made: readonly PlacedShardEntry[], { patience }: SurveyOptions): Promise<void> {
  const limit = Math.min(CLEAN_UP_MILLISECONDS, patience.requestMilliseconds);
  await Promise.allSettled(
    made.map(async (shard) => {
      const rack = racks.find(({ id }) => id === shard.rack);
      if (rack) await askRack(rack, 'removing a shard', { patience }, (signal) => rack.remove(shardNameOf(base, shard), { signal }), limit);
    }),
  );
}

/** Shards that may still be lost: those there now less 14. */
export const marginOf = (manifest: ErasureManifest, missing: readonly number[] = missingShards(manifest)): number =>
  manifest.shards.filter(({ index }) => !missing.includes(index)).length - DATA_SHARDS;
