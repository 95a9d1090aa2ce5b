/**
 * What nobody will finish, found by the names of shards: attempts that never committed, shards that were replaced, and what repairs that died have made. Collected by
 * age, for an attempt may be under way. A whole set of shards without any manifest is never taken for one: it may be all that is left of an object.
 */
import type { RackStore } from '../../drivers/rack-store/port.ts';
import { isType, PenstockError } from '../../model/errors.ts';
import { parseHeader } from './format.ts';
import {
  DATA_SHARDS,
  HEADER_BYTES,
  parseRemovalName,
  parseShardName,
  removalKey,
  repairStartedAt,
  type ShardName,
  shardListPrefix,
  shardPrefix,
} from './layout.ts';
import { listNames } from './list.ts';
import { findManifest, type SurveyOptions } from './manifest-copies.ts';
import { defaultPatience, type Patience } from './patience.ts';
import { askRack } from './rack-memory.ts';
import { removeAttempt, removeNotes } from './remove.ts';
import { demandSettled } from './settled.ts';
import { namesOf, placeOf, tidyObject } from './tidy.ts';

export interface SweepAbandonedShards {
  readonly racks: readonly RackStore[];
  /** Of the objects' keys; empty for all. */
  readonly prefix: string;
  /** `next` of the page before. */
  readonly after?: string | undefined;
  /** Attempts begun before this instant are over. */
  readonly olderThanMilliseconds: number;
  /** Names a rack and page; 1,000 where absent. */
  readonly limit?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly patience?: Patience | undefined;
}
export interface SweptPage {
  readonly shardsRemoved: number;
  /** Whole sets of shards without any manifest: each a matter for a person, see claimErasureObject. */
  readonly unclaimed: readonly { readonly key: string; readonly writeId: string }[];
  /** The same of attempts that may be under way still: too young to be claimed. */
  readonly young: readonly UnclaimedWrite[];
  /** What could not be judged or reached now, and why; the next sweep looks again. */
  readonly postponed: readonly string[];
  readonly next: string | undefined;
}

export interface UnclaimedWrite {
  readonly key: string;
  readonly writeId: string;
  readonly beganAtMilliseconds: number;
}

interface NamedShard extends ShardName {
  readonly key: string;
  readonly name: string;
  readonly racks: readonly RackStore[];
}

/** One page of names; may be repeated, and run beside writers and repairs. StoreUnavailable where more racks are silent than an object may have lost. */
export async function sweepAbandonedShards(request: SweepAbandonedShards): Promise<SweptPage> {
  const { racks, prefix, after, olderThanMilliseconds, limit = 1000, signal, patience = defaultPatience } = request;
  const survey: SurveyOptions = { patience, signal };
  const page = await listNames(racks, shardListPrefix(prefix), { after, limit, ...survey });
  const shards = [...page.names].flatMap(([name, holders]): NamedShard[] => {
    const parsed = parseShardName(name);
    return parsed ? [{ ...parsed, name, racks: holders }] : [];
  });
  let shardsRemoved = 0;
  const removals = [...page.names.keys()].flatMap((name) => parseRemovalName(name) ?? []);
  const unclaimed: { key: string; writeId: string }[] = [];
  const young: UnclaimedWrite[] = [];
  const postponed: string[] = [];
  for (const group of Map.groupBy(shards, ({ key, writeId }) => `${key}/${writeId}`).values()) {
    signal?.throwIfAborted();
    const [first] = group;
    if (!first) continue;
    const { key, writeId } = first;
    try {
      // A cheap look first, for most objects have nothing to collect; what is removed is decided by the careful one.
      const found = (await findManifest(racks, key, survey))?.manifest;
      if (found?.writeId === writeId) {
        const named = namesOf(found);
        const isLeft = ({ name, repairId, racks: holders }: NamedShard): boolean =>
          holders.some(({ id }) => !named.has(placeOf(id, name))) && (repairId === undefined || repairStartedAt(repairId) < olderThanMilliseconds);
        if (!group.some(isLeft)) continue;
        const { manifest } = await demandSettled(racks, key, survey);
        if (manifest?.writeId === writeId) shardsRemoved += await tidyObject({ racks, manifest, olderThanMilliseconds }, survey);
        continue;
      }
      const began = await beginOf(group, survey);
      if (began >= olderThanMilliseconds) {
        const facts = found ? undefined : await factsByName(racks, key, writeId, survey);
        if (facts?.isWhole && !facts.isRemoved) young.push({ key, writeId, beganAtMilliseconds: began });
        continue;
      }
      const { manifest, named } = await demandSettled(racks, key, survey);
      if (manifest?.writeId === writeId) continue;
      const { isWhole, isRemoved } = await factsByName(racks, key, writeId, survey);
      if (!manifest && isWhole && !isRemoved) unclaimed.push({ key, writeId });
      else if (named.has(writeId) && !isRemoved)
        postponed.push(`later manifests of ${JSON.stringify(key)}, write ${writeId}, are there, its first ones are not.`);
      else shardsRemoved += (await removeAttempt({ racks, key, writeId, signal, patience })).shards;
    } catch (error) {
      signal?.throwIfAborted();
      if (!(error instanceof PenstockError)) throw error;
      postponed.push(error.message);
    }
  }
  for (const { key, writeId } of removals) {
    try {
      const { state, shards: removed } = await removeAttempt({ racks, key, writeId, signal, patience });
      shardsRemoved += removed;
      if (state === 'removed') await removeNotes(racks, key, new Set([writeId]), patience, signal);
    } catch (error) {
      signal?.throwIfAborted();
      if (!(error instanceof PenstockError)) throw error;
      postponed.push(error.message);
    }
  }
  return { shardsRemoved, unclaimed, young, postponed, next: page.next };
}

/** Whole sets of shards of one key, whatever its manifests say. StoreUnavailable where more racks are silent than an object may have lost. */
export async function wholeWrites(racks: readonly RackStore[], key: string, survey: SurveyOptions): Promise<UnclaimedWrite[]> {
  const { names } = await listNames(racks, shardPrefix(key), { after: undefined, limit: 1000, ...survey });
  const shards = [...names].flatMap(([name, holders]): NamedShard[] => {
    const parsed = parseShardName(name);
    return parsed ? [{ ...parsed, name, racks: holders }] : [];
  });
  const whole: UnclaimedWrite[] = [];
  for (const [writeId, group] of Map.groupBy(shards, ({ writeId }) => writeId)) {
    if (names.has(removalKey(key, writeId)) || new Set(group.map(({ index }) => index)).size < DATA_SHARDS) continue;
    whole.push({ key, writeId, beganAtMilliseconds: await beginOf(group, survey) });
  }
  return whole;
}

/** When the attempt began, as the header of any of its shards says. CorruptSource where none tells. */
async function beginOf(shards: readonly NamedShard[], survey: SurveyOptions): Promise<number> {
  let trouble: unknown;
  for (const { key, writeId, name, racks } of shards) {
    for (const rack of racks) {
      try {
        const header = Buffer.alloc(HEADER_BYTES);
        await askRack(rack, 'reading a header', survey, (inner) => rack.readInto(name, header, { signal: inner }));
        const parsed = parseHeader(header);
        if (parsed.key === key && parsed.writeId === writeId) return parsed.createdAtMilliseconds;
        trouble = new PenstockError('CorruptSource', `${name} is a shard of ${JSON.stringify(parsed.key)}, write ${parsed.writeId}.`, { store: rack.id });
      } catch (error) {
        survey.signal?.throwIfAborted();
        trouble = error;
      }
    }
  }
  throw trouble instanceof PenstockError && !isType(trouble, 'NotFound')
    ? trouble
    : new PenstockError('CorruptSource', `no shard of write ${shards[0]?.writeId ?? 'unknown'} tells when it began.`, { cause: trouble });
}

/** By their names on all racks: whether 14 different shards are there, and whether somebody was removing them. StoreUnavailable where a rack does not say. */
async function factsByName(
  racks: readonly RackStore[],
  key: string,
  writeId: string,
  survey: SurveyOptions,
): Promise<{ readonly isWhole: boolean; readonly isRemoved: boolean }> {
  const { names, silent } = await listNames(racks, `${shardPrefix(key)}${writeId}.`, { after: undefined, limit: 1000, ...survey });
  if (silent.length > 0)
    throw new PenstockError('StoreUnavailable', `what is left of ${JSON.stringify(key)} cannot be judged; not reached: ${silent.join(', ')}.`);
  const indices = new Set([...names.keys()].flatMap((name) => parseShardName(name)?.index ?? []));
  return { isWhole: indices.size >= DATA_SHARDS, isRemoved: names.has(removalKey(key, writeId)) };
}
