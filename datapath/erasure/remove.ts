/** Removes objects, and what attempts that never committed have left. */
import { eachPage, type From } from '../../drivers/pages.ts';
import type { RackStore } from '../../drivers/rack-store/port.ts';
import { messageOf, PenstockError } from '../../model/errors.ts';
import { listManifests } from './generations.ts';
import { checkKey, checkWriteId, manifestKey, parseRemovalName, parseShardKey, removalKey, type ShardName, shardPrefix } from './layout.ts';
import { electorsFor, type ManifestCopy, type SurveyOptions, surveyManifests } from './manifest-copies.ts';
import { defaultPatience, type Patience } from './patience.ts';
import { askRack, withLastChance } from './rack-memory.ts';
import { removeCopies } from './remove-copies.ts';

export interface RemoveErasureObject {
  readonly racks: readonly RackStore[];
  readonly key: string;
  /** Also the shards of attempts that never committed. Only where no writer of this key can be at work. */
  readonly includeAttempts?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly patience?: Patience | undefined;
}
export interface RemovalFacts {
  readonly manifests: number;
  readonly shards: number;
}

/**
 * The object is gone afterwards, or was never there; may be repeated. The first generation's manifests go first, so that nothing incomplete is ever offered.
 * StoreUnavailable where a rack did not answer: what could be removed has been, and the call must be repeated, for the rack may hold a copy.
 */
export async function removeErasureObject(request: RemoveErasureObject): Promise<RemovalFacts> {
  checkKey(request.key);
  return await withLastChance(request.racks, request.patience ?? defaultPatience, (patience) => removeNow(request, { patience, signal: request.signal }));
}

async function removeNow({ racks, key, includeAttempts = false }: RemoveErasureObject, survey: SurveyOptions): Promise<RemovalFacts> {
  const { patience, signal } = survey;
  let copies = await surveyManifests(racks, manifestKey(key), survey);
  const named = copies.flatMap((copy) => (copy.state === 'present' ? [copy.manifest.writeId] : []));
  const writeIds = new Set([...named, ...(await notedRemovals(key, racks, survey))]);
  // A damaged copy no longer says whose it was; with it all shards under the key have to go.
  const takeAll = includeAttempts || copies.some(({ state }) => state === 'damaged');
  const silent = new Map<string, string>();
  const noteSilent = () => {
    for (const copy of copies) if (copy.state === 'unreachable') silent.set(copy.rack.id, copy.problem);
  };
  noteSilent();

  await onElectors(key, racks, writeIds, (rack, name) =>
    askRack(rack, 'noting a removal', survey, (inner) => rack.writeManifest(name, REMOVAL_NOTE, { signal: inner })),
  );
  const isOurs = (copy: ManifestCopy): boolean => copy.state === 'damaged' || (copy.state === 'present' && writeIds.has(copy.manifest.writeId));
  const laterOfOurs = async () => {
    const { listed } = await listManifests(racks, key, survey);
    return listed.filter(({ writeId }) => writeId !== undefined && (takeAll || writeIds.has(writeId)));
  };
  // Listed before anything goes: what stays away here is found by its write id once the first generation is back.
  let later = await laterOfOurs();
  let manifests = 0;
  let shards = 0;
  for (let round = 1; ; round++) {
    const holders = copies.filter(isOurs).map(({ rack }) => rack);
    manifests += holders.length;
    for (const [rack, problem] of await removeCopies(holders, manifestKey(key), isOurs, survey)) silent.set(rack, problem);
    if (silent.size > 0 && writeIds.size === 0 && !takeAll) throw incomplete(key, silent);
    for (const { rack, name } of later) {
      await onEach([rack], silent, () => askRack(rack, 'removing a manifest', survey, (inner) => rack.remove(name, { signal: inner })));
    }
    await onEach(
      racks.filter(({ id }) => !silent.has(id)),
      silent,
      async (rack) => {
        const removed = await removeShardsOn(rack, key, ({ writeId }) => takeAll || writeIds.has(writeId), patience, signal);
        shards += removed;
      },
    );
    // A repair beside this may have put copies back while it still saw shards; one that does so from here on sees that there are none, and takes them away itself.
    if (silent.size > 0) throw incomplete(key, silent);
    copies = await surveyManifests(racks, manifestKey(key), survey);
    later = await laterOfOurs();
    noteSilent();
    if (silent.size > 0) throw incomplete(key, silent);
    if (later.length === 0 && !copies.some(isOurs)) break;
    if (round === MAX_ROUNDS) {
      throw new PenstockError('StoreUnavailable', `${JSON.stringify(key)} was put back ${MAX_ROUNDS} times while it was removed.`, {
        nextStep: 'Repeat the removal when its repair is over.',
      });
    }
  }
  await removeNotes(racks, key, writeIds, patience, signal);
  return { manifests, shards };
}

/** A repair puts copies back once, then finds the shards gone. */
const MAX_ROUNDS = 5;

const REMOVAL_NOTE = Buffer.from('{"removed":true}\n');

/** Best effort: a note that is not there costs a person's word later, one that stays is found by the sweep. */
async function onElectors(key: string, racks: readonly RackStore[], writeIds: ReadonlySet<string>, work: (rack: RackStore, name: string) => Promise<void>) {
  const names = [...writeIds].map((writeId) => removalKey(key, writeId));
  await Promise.allSettled(electorsFor(key, racks).flatMap((rack) => names.map((name) => work(rack, name))));
}

/** Writes whose removal was begun before. */
async function notedRemovals(key: string, racks: readonly RackStore[], survey: SurveyOptions): Promise<string[]> {
  const list = async (rack: RackStore): Promise<string[]> => {
    const names = (inner: AbortSignal) => rack.list(shardPrefix(key), { signal: inner });
    const { keys } = await askRack(rack, 'listing shards', survey, names);
    return keys.flatMap((name) => parseRemovalName(name) ?? []).flatMap((note) => (note.key === key ? [note.writeId] : []));
  };
  const found = await Promise.allSettled(electorsFor(key, racks).map(list));
  survey.signal?.throwIfAborted();
  return found.flatMap((result) => (result.status === 'fulfilled' ? result.value : []));
}

/** Once the shards are gone. */
export async function removeNotes(
  racks: readonly RackStore[],
  key: string,
  writeIds: ReadonlySet<string>,
  patience: Patience,
  signal: AbortSignal | undefined,
): Promise<void> {
  await onElectors(key, racks, writeIds, (rack, name) =>
    askRack(rack, 'removing a note', { patience, signal }, (inner) => rack.remove(name, { signal: inner })),
  );
  signal?.throwIfAborted();
}

export interface RemoveAttempt {
  readonly racks: readonly RackStore[];
  readonly key: string;
  readonly writeId: string;
  readonly signal?: AbortSignal | undefined;
  readonly patience?: Patience | undefined;
}

/**
 * The shards of an attempt that is known to be over are gone afterwards. kept: a manifest names the attempt, so it is committed or about to
 * be completed by another one. StoreUnavailable as above. A zombie of the attempt that commits later finds its shards gone and fails.
 */
export async function removeAttempt({
  racks,
  key,
  writeId,
  signal,
  patience = defaultPatience,
}: RemoveAttempt): Promise<{ state: 'removed' | 'kept'; shards: number }> {
  checkKey(key);
  checkWriteId(writeId);
  const copies = await surveyManifests(racks, manifestKey(key), { patience, signal });
  if (copies.some((copy) => copy.state === 'present' && copy.manifest.writeId === writeId)) return { state: 'kept', shards: 0 };
  const silent = new Map(copies.flatMap((copy) => ('problem' in copy ? [[copy.rack.id, copy.problem] as const] : [])));
  if (silent.size > 0) throw incomplete(key, silent);
  let shards = 0;
  await onEach(racks, silent, async (rack) => {
    const removed = await removeShardsOn(rack, key, (shard) => shard.writeId === writeId, patience, signal);
    shards += removed;
  });
  if (silent.size > 0) throw incomplete(key, silent);
  return { state: 'removed', shards };
}

/** Runs on every rack, whatever happens on others; failures are noted by rack. */
async function onEach(racks: readonly RackStore[], failures: Map<string, string>, work: (rack: RackStore) => Promise<void>): Promise<void> {
  await Promise.all(
    racks.map(async (rack) => {
      try {
        await work(rack);
      } catch (error) {
        failures.set(rack.id, messageOf(error));
      }
    }),
  );
}

/** @returns how many were removed */
export async function removeShardsOn(
  rack: RackStore,
  key: string,
  isDoomed: (shard: ShardName, name: string) => boolean,
  patience: Patience,
  signal: AbortSignal | undefined,
): Promise<number> {
  let removed = 0;
  const list = (from: From) => askRack(rack, 'listing shards', { patience, signal }, (inner) => rack.list(shardPrefix(key), { ...from, signal: inner }));
  for await (const { keys } of eachPage(list))
    for (const name of keys) {
      const shard = parseShardKey(key, name);
      if (!shard || !isDoomed(shard, name)) continue;
      await askRack(rack, 'removing a shard', { patience, signal }, (inner) => rack.remove(name, { signal: inner }));
      removed++;
    }
  return removed;
}

function incomplete(key: string, silent: ReadonlyMap<string, string>): PenstockError {
  const racks = [...silent].map(([id, problem]) => `${id} (${problem})`).join(', ');
  return new PenstockError('StoreUnavailable', `${JSON.stringify(key)} could not be removed everywhere; not reached: ${racks}.`, {
    nextStep: 'Repeat the removal when they are back.',
  });
}
