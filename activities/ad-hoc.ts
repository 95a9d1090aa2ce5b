/** The beginning of an ad hoc transfer: held to the site, its limit on record, its target remembered for the sweep. */
import type { Stores } from '../drivers/open-site.ts';
import { isType, PenstockError } from '../model/errors.ts';
import type { Location } from '../model/location.ts';
import type { AdHocTransfer } from '../model/transfer-input.ts';
import { effect } from './effect.ts';
import { createLimitActivities, type SetTransferLimit } from './limits.ts';
import { endpointAt, isTree } from './places.ts';
import { rememberTarget } from './sweep.ts';

export interface OpenTransferRequest extends SetTransferLimit {
  readonly source: Location;
  readonly target: Location;
  readonly mode: AdHocTransfer['mode'];
}
export interface OpenedTransfer {
  readonly heartbeatSeconds: number;
  readonly eventsPerRun: number;
}

export type AdHocActivities = ReturnType<typeof createAdHocActivities>;

export function createAdHocActivities(stores: Stores) {
  const { setTransferLimit } = createLimitActivities(stores);
  return {
    /** InvalidInput where the site has no such store, or the store no such bucket. */
    openTransfer: async ({ source, target, mode, ...limit }: OpenTransferRequest): Promise<OpenedTransfer> => {
      await effect(async (run) => {
        for (const place of [source, target]) await demandBucket(stores, place, run.signal);
        if (mode === 'move') await rememberTarget(stores, target);
      });
      // Also where there is none: an earlier transfer of that name may have left its own.
      if (mode === 'move') await setTransferLimit(limit);
      const { heartbeatSeconds, eventsPerRun } = stores.site.policies;
      return { heartbeatSeconds, eventsPerRun };
    },
  };
}

/**
 * Buckets belong to whoever pays for them, so none is made. A directory may be on a mount that only movers have, and is made where it is missing. @throws InvalidInput
 * where the site has no such store, or the store no such bucket
 */
export async function demandBucket(stores: Stores, place: Location, signal: AbortSignal): Promise<void> {
  const endpoint = endpointAt(stores, place);
  if (isTree(stores, place.store)) return;
  await endpoint.list({ limit: 1, signal }).catch((error: unknown) => {
    if (!isType(error, 'NotFound')) throw error;
    throw new PenstockError('InvalidInput', `the bucket ${JSON.stringify(place.bucket)} does not exist in ${place.store}.`, {
      cause: error,
      nextStep: 'Create it, for a target that locks with Object Lock, or name one that is there.',
    });
  });
}
