/** Giving up an object that is lost for good. No activity: an operator does it, and may while Temporal is away. Nothing of the object is removed. */
import { readErasureBlocks } from '../datapath/erasure/index.ts';
import { type ErasureVerification, unsureShards, verifyErasureObject } from '../datapath/erasure/verify.ts';
import type { Stores } from '../drivers/open-site.ts';
import { isType, PenstockError } from '../model/errors.ts';
import type { GivenUp, GiveUp, Loss } from '../model/given-up.ts';
import { racksOverview } from './erasure-overview.ts';
import { recordGivenUp } from './given-up.ts';
import { dropRepairs } from './repair-queue.ts';
import { whereIs } from './where.ts';

/**
 * What of the object is lost. Conflict where it can still be read, which is tried to its last byte; StoreUnavailable where racks of the site file do not answer, for these may
 * hold what is missing; InvalidInput where the key is that of a small file, which is lost with its pack; NotFound where there is no such object.
 */
export async function lossOf(stores: Stores, key: string, onProgress?: (bytes: number) => void): Promise<Loss> {
  const { member, key: pack } = await whereIs(stores, key);
  if (member !== undefined)
    throw new PenstockError('InvalidInput', `object: ${JSON.stringify(key)} is a small file in a pack.`, {
      nextStep: `Accepted: the pack's own key, ${JSON.stringify(pack)}; all files in it are lost with it.`,
    });
  await demandAllRacks(stores);
  if (await canBeRead(stores, key, onProgress)) throw readable(key);
  const facts = await verifyErasureObject({ racks: stores.shardRacks, key });
  if (facts.digestMatches) throw readable(key);
  demandCertainty(key, facts);
  const { bytes, sha256, createdAt, writeId } = facts.manifest;
  const lostShards = facts.shards.flatMap(({ index, rack, state, message }): Loss['lostShards'] =>
    state === 'lost' || state === 'rotten' || state === 'unwritten'
      ? [{ index, state, ...(rack === undefined ? {} : { rack }), ...(message === undefined ? {} : { why: message.slice(0, 500) }) }]
      : [],
  );
  return { key, bytes, sha256, createdAt, writeId, soundShards: facts.shards.length - lostShards.length, lostShards };
}

/** On record, then out of what is due: stopped in between, a repetition ends it. Where somebody gave it up before, that stays on record. */
export async function giveUp(stores: Stores, loss: Loss, { by, reason }: GiveUp, now: Date): Promise<{ record: GivenUp; droppedRepairs: number }> {
  const record = await recordGivenUp(stores, { ...loss, by, reason, givenUpAt: now.toISOString() });
  return { record, droppedRepairs: await dropRepairs(stores, loss.key) };
}

/** Shards may lie where no manifest names them: only racks that answer can say that there are none. */
async function demandAllRacks(stores: Stores): Promise<void> {
  const silent = (await racksOverview(stores)).filter(({ reachable }) => !reachable);
  if (silent.length === 0) return;
  throw new PenstockError('StoreUnavailable', `what is missing may lie on racks that do not answer: ${silent.map(({ id }) => id).join(', ')}.`, {
    nextStep: 'Bring them back; those that are lost for good, replace in the site file.',
  });
}

async function canBeRead({ shardRacks: racks }: Stores, key: string, onProgress?: (bytes: number) => void): Promise<boolean> {
  let bytes = 0;
  try {
    const { blocks } = await readErasureBlocks({ racks, key });
    for await (const block of blocks) {
      bytes += block.length;
      onProgress?.(bytes);
    }
    return true;
  } catch (error) {
    if (isType(error, 'NotEnoughShards', 'CorruptSource')) return false;
    throw error;
  }
}

const readable = (key: string): PenstockError =>
  new PenstockError('Conflict', `${JSON.stringify(key)} can still be read, all of it.`, {
    nextStep: 'Nothing is given up: `penstock erasure repair start` rebuilds what is missing.',
  });

/** A cell that did not come in time is no cell that is lost. */
function demandCertainty(key: string, facts: ErasureVerification): void {
  const unsure = unsureShards(facts);
  if (unsure.length === 0) return;
  throw new PenstockError(
    'StoreUnavailable',
    `shards of ${JSON.stringify(key)} were not seen: ${unsure.map(({ index, rack }) => `${index} on ${rack}`).join(', ')}.`,
    {
      nextStep: 'Try again when these racks answer.',
    },
  );
}
