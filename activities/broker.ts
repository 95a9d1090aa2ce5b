/** What a broker asks of its site. */
import type { Stores } from '../drivers/open-site.ts';
import { PenstockError } from '../model/errors.ts';
import type { FabricConfig } from '../model/fabric.ts';
import { effect } from './effect.ts';

export type BrokerActivities = ReturnType<typeof createBrokerActivities>;

export interface OpenedFabric {
  readonly fabric: FabricConfig;
  readonly eventsPerRun: number;
}

export function createBrokerActivities({ site }: Pick<Stores, 'site'>) {
  return {
    /** InvalidInput where the site has no such fabric. */
    readFabric: (name: string): Promise<OpenedFabric> =>
      effect(() => {
        const found = site.fabrics[name];
        if (found) {
          const { drains: _, ...fabric } = found;
          return Promise.resolve({ fabric, eventsPerRun: site.policies.eventsPerRun });
        }
        const accepted = Object.keys(site.fabrics).join(', ') || 'none, for the site file has no fabrics';
        throw new PenstockError('InvalidInput', `fabric: found ${name}; accepted: ${accepted}.`, { nextStep: 'Name the fabric in the site file.' });
      }),
  };
}
