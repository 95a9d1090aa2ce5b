/** Whether a store answers at all, asked as cheaply as it can be. */
import { WRITE_QUORUM } from '../datapath/erasure/layout.ts';
import type { Stores } from '../drivers/open-site.ts';
import { PenstockError } from '../model/errors.ts';
import { SYSTEM_BUCKET } from '../model/location.ts';
import { racksOverview } from './erasure-overview.ts';
import { isTree, objectsOf, treeOf } from './places.ts';

/** Longer than racks are given each: what is known of them is worth more than that time is up. */
const ANSWER_LIMIT_MS = 8000;

/**
 * @param store as the site file names it; `racks`: as many of the erasure set's as a write needs
 * @throws PenstockError StoreUnavailable, saying why, where it does not; InvalidInput where the site has no such store
 */
export async function requireAnswer(stores: Stores, store: string, signal: AbortSignal): Promise<void> {
  try {
    await inTime(store, ask(stores, store), signal);
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof PenstockError)) throw new PenstockError('StoreUnavailable', String(error), { store, cause: error });
    if (error.type === 'InvalidInput' || error.type === 'StoreUnavailable') throw error;
    if (error.type === 'IoError') throw new PenstockError('StoreUnavailable', error.message, { cause: error });
    // To be refused, or told to come more slowly, is to be answered.
  }
}

async function ask(stores: Stores, store: string): Promise<void> {
  if (store === 'racks') return await askRacks(stores);
  if (store === 'hot') await stores.hot.capacity();
  if (isTree(stores, store)) await treeOf(stores, store)?.freeBytes();
  else await objectsOf(stores, store).list(SYSTEM_BUCKET, '', { limit: 1 });
}

/** Racks by name, for it is shown in one line. */
const NAMED = 5;

async function askRacks(stores: Stores): Promise<void> {
  const racks = await racksOverview(stores);
  const silent = racks.filter(({ reachable }) => !reachable);
  const answering = racks.length - silent.length;
  if (answering >= WRITE_QUORUM) return;
  const named = silent.slice(0, NAMED).map(({ id }) => id);
  const which = [...named, ...(silent.length > NAMED ? [`${silent.length - NAMED} more`] : [])].join(', ');
  throw new PenstockError(
    'StoreUnavailable',
    `${answering} of ${racks.length} racks answer, a write needs ${WRITE_QUORUM}; silent: ${which}; ${silent[0]?.note ?? 'no reason given'}`,
  );
}

async function inTime<T>(store: string, answer: Promise<T>, signal: AbortSignal): Promise<T> {
  const late = Promise.withResolvers<never>();
  const giveUp = (): void => late.reject(signal.reason);
  const timer = setTimeout(
    () => late.reject(new PenstockError('StoreUnavailable', `${store}: no answer within ${ANSWER_LIMIT_MS / 1000} s.`)),
    ANSWER_LIMIT_MS,
  );
  signal.addEventListener('abort', giveUp, { once: true });
  try {
    return await Promise.race([answer, late.promise]);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', giveUp);
  }
}
