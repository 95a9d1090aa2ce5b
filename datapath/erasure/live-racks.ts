/** Which racks answer now and what room they have: the input of a placement. */
import type { RackStore } from '../../drivers/rack-store/port.ts';
import { PenstockError } from '../../model/errors.ts';
import { placeShards } from '../../model/placement.ts';
import { type Layout, shardBytes, TOTAL_SHARDS, WRITE_QUORUM } from './layout.ts';
import type { SurveyOptions } from './manifest-copies.ts';
import { messageOf, within } from './patience.ts';

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
  const needed = shardBytes(layout);
  const answers = await Promise.all(
    racks.map(async (rack) => {
      try {
        const freeBytes = await probe(rack, options);
        return freeBytes === undefined || freeBytes >= needed
          ? { rack, freeBytes, problem: undefined, isFull: false }
          : { rack, freeBytes, problem: `${freeBytes} bytes are free`, isFull: true };
      } catch (error) {
        options.signal?.throwIfAborted();
        return { rack, freeBytes: undefined, problem: messageOf(error), isFull: false };
      }
    }),
  );
  const live = answers.filter(({ problem }) => problem === undefined);
  if (live.length < WRITE_QUORUM) {
    const out = answers.filter(({ problem }) => problem !== undefined);
    throw new PenstockError(
      out.length > 0 && out.every(({ isFull }) => isFull) ? 'OutOfSpace' : 'StoreUnavailable',
      `${live.length} of the ${WRITE_QUORUM} racks needed for ${JSON.stringify(key)} can take a shard; not: ${out.map(({ rack, problem }) => `${rack.id} (${problem})`).join(', ')}.`,
    );
  }
  const placement = placeShards(
    key,
    live.map(({ rack, freeBytes }) => ({ id: rack.id, room: rack.room, availableBytes: freeBytes, rack })),
    TOTAL_SHARDS,
  );
  return { chosen: placement.chosen.map(({ rack }) => rack), spares: placement.spares.map(({ rack }) => rack) };
}

async function probe(rack: RackStore, { patience, signal }: SurveyOptions): Promise<number | undefined> {
  const known = probes.get(rack);
  if (known && Date.now() - known.at < PROBE_VALID_MILLISECONDS) return known.freeBytes;
  const freeBytes = await within(patience.requestMilliseconds, rack.id, 'asking for free space', (inner) => rack.freeBytes({ signal: inner }), signal);
  probes.set(rack, { at: Date.now(), freeBytes });
  return freeBytes;
}
