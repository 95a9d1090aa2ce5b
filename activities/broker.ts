/** What a broker asks of its site. */
import type { Stores } from '../drivers/open-site.ts';
import { PenstockError } from '../model/errors.ts';
import { brokered, type FabricConfig } from '../model/fabric.ts';
import { effect } from './effect.ts';
import { requireAnswer } from './store-answers.ts';

export type BrokerActivities = ReturnType<typeof createBrokerActivities>;

export interface OpenedFabric {
  readonly fabric: FabricConfig;
  readonly eventsPerRun: number;
}

export function createBrokerActivities(stores: Stores) {
  const { fabrics, policies, stores: tiers } = stores.site;
  return {
    /** InvalidInput where the site has no such fabric. */
    readFabric: (name: string): Promise<OpenedFabric> =>
      effect(() => {
        const found = fabrics[name];
        const { eventsPerRun, stagingShare } = policies;
        if (found) return Promise.resolve({ fabric: brokered(found, tiers.hot.bandwidth.write * stagingShare), eventsPerRun });
        const accepted = Object.keys(fabrics).join(', ') || 'none, for the site file has no fabrics';
        throw new PenstockError('InvalidInput', `fabric: found ${name}; accepted: ${accepted}.`, { nextStep: 'Name the fabric in the site file.' });
      }),

    /** StoreUnavailable, saying why, where it does not answer within seconds. */
    askStore: (store: string): Promise<void> => effect((run) => requireAnswer(stores, store, run.signal)),
  };
}
