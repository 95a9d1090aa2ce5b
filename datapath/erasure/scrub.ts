/** Reads objects back, every cell of every shard, and tells what repair has to do. Changes nothing. */
import type { RackStore } from '../../drivers/rack-store/port.ts';
import { isType } from '../../model/errors.ts';
import { workAhead } from '../transfer/work-ahead.ts';
import type { CodecPool } from './codec-pool.ts';
import { ContestedManifest } from './contested.ts';
import { type EndangeredObject, endangered } from './endangered.ts';
import { MANIFEST_COPIES, manifestKey } from './layout.ts';
import { eachErasureObject } from './list.ts';
import { attemptOf, manifestNameOf } from './manifest.ts';
import { electorsFor, surveyManifests } from './manifest-copies.ts';
import { defaultPatience, type Patience } from './patience.ts';
import { asUnreadable } from './unreadable.ts';
import { type ErasureVerification, verifyErasureObject } from './verify.ts';

export interface ScrubErasureObjects {
  readonly racks: readonly RackStore[];
  /** Of the objects' keys; empty for all. */
  readonly prefix: string;
  /** The last key that is done. */
  readonly after?: string | undefined;
  /** Keys a page; 1,000 where absent. */
  readonly limit?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly codec?: CodecPool | undefined;
  readonly patience?: Patience | undefined;
  /** Awaited before so many bytes are read from racks. */
  readonly pace?: ((bytes: number) => Promise<void>) | undefined;
  /** Asked before each but the first: once it says no, no object is begun any more, and those under way are read to their end. */
  readonly mayBegin?: (() => boolean) | undefined;
}

/** While one waits for its racks another is coded and hashed. Each holds a stripe of up to 18 MiB: 72 MiB. */
const OBJECTS_AT_ONCE = 4;

export interface ScrubbedObject extends EndangeredObject {
  readonly bytes: number;
  /** One line for each thing that is wrong. */
  readonly problems: readonly string[];
  /** To its last byte, and it is what its digest says. */
  readonly isReadable: boolean;
  /** Whose racks did not answer: they are missing in the margin, and may be sound. */
  readonly unseenShards: number;
  /** Their racks; none are known where the object could not be looked at. */
  readonly unseenRacks: readonly string[];
}

/**
 * In the order of their manifests' names, from behind `after`; several are read at once. Memory: a stripe of each. StoreUnavailable where too many racks are silent to list. Who takes
 * no more of them ends what is under way.
 */
export async function* scrubErasureObjects(request: ScrubErasureObjects): AsyncGenerator<ScrubbedObject> {
  const scrubOne = (key: string, signal: AbortSignal): Promise<ScrubbedObject | undefined> => {
    const one = { ...request, signal };
    return scrubErasureObject(one, key).catch((error: unknown) => asUnreadable(one, key, error));
  };
  for await (const object of workAhead(allowed(request), OBJECTS_AT_ONCE, scrubOne, request.signal)) if (object) yield object;
}

async function* allowed({ mayBegin = () => true, ...request }: ScrubErasureObjects): AsyncGenerator<string> {
  for await (const key of eachErasureObject(request)) {
    yield key;
    if (!mayBegin()) return;
  }
}

/** Undefined where it was removed meanwhile. */
export async function scrubErasureObject(request: Omit<ScrubErasureObjects, 'prefix'>, key: string): Promise<ScrubbedObject | undefined> {
  const { racks, signal, codec, patience = defaultPatience, pace } = request;
  try {
    const facts = await verifyErasureObject({ racks, key, signal, codec, patience, pace });
    const { manifest } = facts;
    const electors = electorsFor(key, racks);
    const firsts = await surveyManifests(electors, manifestKey(key), { patience, signal });
    const latest = manifest.generation === undefined ? [] : await surveyManifests(electors, manifestNameOf(manifest), { patience, signal });
    const firstCopies = firsts.filter((copy) => copy.state === 'present' && copy.manifest.writeId === manifest.writeId).length;
    const strays = [
      ...firsts.filter((copy) => copy.state === 'present' && copy.manifest.writeId !== manifest.writeId),
      ...latest.filter((copy) => copy.state === 'present' && attemptOf(copy.manifest) !== attemptOf(manifest)),
    ].map(({ rack }) => `${rack.id} holds a manifest of another attempt`);
    const problems = [...problemsOf(facts, Math.min(facts.manifestCopies, firstCopies)), ...strays];
    const unseen = facts.shards.filter(({ isUnseen }) => isUnseen);
    // Also cells that did not come at first count against the margin.
    return {
      ...endangered(manifest, facts.shards),
      margin: facts.margin,
      bytes: manifest.bytes,
      isReadable: facts.digestMatches,
      problems,
      unseenShards: unseen.length,
      unseenRacks: unseen.flatMap(({ rack }) => rack ?? []),
    };
  } catch (error) {
    if (isType(error, 'NotFound')) return undefined;
    // It cannot be read until this is over, and must not hold up the others.
    if (error instanceof ContestedManifest)
      return { key, storedBytes: 0, margin: -1, suspects: [], bytes: 0, isReadable: false, problems: [error.message], ...allSeen };
    throw error;
  }
}

const allSeen = { unseenShards: 0, unseenRacks: [] };

function problemsOf({ shards, digestMatches, margin }: ErasureVerification, manifestCopies: number): string[] {
  return [
    ...shards
      .filter(({ state }) => state === 'rotten' || state === 'lost' || state === 'unwritten')
      .map(
        ({ index, rack, state, isUnseen, message }) =>
          `shard ${index} on ${rack ?? 'no rack'} ${isUnseen ? 'was not seen' : `is ${state}`}: ${message ?? 'unknown'}`,
      ),
    ...(manifestCopies < MANIFEST_COPIES ? [`${manifestCopies} of ${MANIFEST_COPIES} manifest copies are there`] : []),
    ...(margin >= 0 && !digestMatches ? ['its cells are sound, and the whole does not have its SHA-256'] : []),
  ];
}
