/** The beginning of an ad hoc transfer: held to the site, its limit on record, its target remembered for the sweep. */
import type { Stores } from '../drivers/open-site.ts';
import type { Location } from '../model/location.ts';
import type { AdHocTransfer } from '../model/transfer-input.ts';
import { effect } from './effect.ts';
import { createLimitActivities, type SetTransferLimit } from './limits.ts';
import { endpointAt } from './places.ts';
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
    /** InvalidInput where the site has no such store. */
    openTransfer: async ({ source, target, mode, ...limit }: OpenTransferRequest): Promise<OpenedTransfer> => {
      await effect(async () => {
        for (const place of [source, target]) endpointAt(stores, place);
        if (mode === 'move') await rememberTarget(stores, target);
      });
      // Also where there is none: an earlier transfer of that name may have left its own.
      if (mode === 'move') await setTransferLimit(limit);
      const { heartbeatSeconds, eventsPerRun } = stores.site.policies;
      return { heartbeatSeconds, eventsPerRun };
    },
  };
}
