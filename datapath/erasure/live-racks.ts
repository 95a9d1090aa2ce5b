/** Which racks answer now and what room they have: the input of a placement. */
import type { RackStore } from '../../drivers/rack-store/port.ts';
import { messageOf, PenstockError } from '../../model/errors.ts';
import { placeShards, tooFewRacks } from '../../model/placement.ts';
import { type Layout, shardBytes, TOTAL_SHARDS, WRITE_QUORUM } from './layout.ts';
import type { SurveyOptions } from './manifest-copies.ts';
import { lagOf, mostOf, type Patience } from './patience.ts';
import { askRack, isSilent, isTroubled, withLastChance } from './rack-memory.ts';

export interface ShardPlacement {
  /** Of shards 0, 1, ... */
  readonly chosen: readonly RackStore[];
  readonly spares: readonly RackStore[];
}

/** A rack that answered is not asked again for this long: many small objects would otherwise spend their time on it. A failing write tells sooner. */
const PROBE_VALID_MILLISECONDS = 5_000;

const probes = new WeakMap<RackStore, { readonly at: number; readonly freeBytes: number | undefined }>();

/** StoreUnavailable or OutOfSpace where fewer than the write quorum are live. */
export async function placeOnLiveRacks(racks: readonly RackStore[], key: string, layout: Layout, options: SurveyOptions): Promise<ShardPlacement> {
  if (new Set(racks.map(({ id }) => id)).size !== racks.length) throw new PenstockError('InvalidInput', 'two racks have the same id.');
  const liveOf = (answers: readonly Answer[]) => answers.filter(({ problem }) => problem === undefined);
  const look = (patience: Patience) => askAll(racks, shardBytes(layout), { ...options, patience });
  const answers = await withLastChance(racks, options.patience, look, (found) => liveOf(found).length >= WRITE_QUORUM);
  const live = liveOf(answers);
  if (live.length < WRITE_QUORUM) {
    const refusals = answers.flatMap(({ rack: { id }, problem, isFull }) => (problem === undefined ? [] : [{ id, why: problem, isFull }]));
    throw tooFewRacks(key, { takers: live.length, needed: WRITE_QUORUM, refusals });
  }
  const calm = live.filter(({ rack }) => !isTroubled(rack, options.patience));
  const placement = placeShards(
    key,
    (calm.length >= TOTAL_SHARDS ? calm : live).map(({ rack, freeBytes }) => ({ id: rack.id, room: rack.room, availableBytes: freeBytes, rack })),
    TOTAL_SHARDS,
  );
  return { chosen: placement.chosen.map(({ rack }) => rack), spares: placement.spares.map(({ rack }) => rack) };
}

interface Answer {
  readonly rack: RackStore;
  readonly freeBytes: number | undefined;
  /** Undefined where it can take a shard. */
  readonly problem: string | undefined;
  readonly isFull: boolean;
}

/** In the racks' order. */
async function askAll(racks: readonly RackStore[], neededBytes: number, options: SurveyOptions): Promise<Answer[]> {
  const asked = racks.map((rack) => ask(rack, neededBytes, options));
  const answers = await mostOf(asked, TOTAL_SHARDS, ({ problem }) => problem === undefined);
  return racks.map((rack, index) => answers[index] ?? { rack, freeBytes: undefined, problem: 'it did not answer in time', isFull: false });
}

async function ask(rack: RackStore, neededBytes: number, options: SurveyOptions): Promise<Answer> {
  if (rack.closed) return { rack, freeBytes: undefined, problem: rack.closed.why, isFull: false };
  try {
    const freeBytes = await probe(rack, options);
    const isFull = freeBytes !== undefined && freeBytes < neededBytes;
    return { rack, freeBytes, problem: isFull ? `${freeBytes} bytes are free` : undefined, isFull };
  } catch (error) {
    options.signal?.throwIfAborted();
    return { rack, freeBytes: undefined, problem: messageOf(error), isFull: false };
  }
}

async function probe(rack: RackStore, options: SurveyOptions): Promise<number | undefined> {
  const { patience } = options;
  const known = probes.get(rack);
  if (known && Date.now() - known.at < PROBE_VALID_MILLISECONDS && !isSilent(rack, patience)) return known.freeBytes;
  // Whoever takes longer to say that it is there would hold up the write as well.
  const limit = Math.min(patience.requestMilliseconds, lagOf(patience));
  const freeBytes = await askRack(rack, 'asking for free space', options, (inner) => rack.freeBytes({ signal: inner }), limit);
  probes.set(rack, { at: Date.now(), freeBytes });
  return freeBytes;
}
