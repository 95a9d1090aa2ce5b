/** The erasure sets of other sites that copies go to: their racks, tried as the site's own. Needed where each checkpoint is to be copied there. */
import type { Stores } from '../open-site.ts';
import { firstLine, type ProbeResult } from './probe.ts';
import { probeRacks } from './racks.ts';

export async function probeReplicas(stores: Pick<Stores, 'site' | 'replicaRacks'>, runId: string): Promise<readonly ProbeResult[]> {
  const replicas = Object.entries(stores.site.erasureSet.replicas);
  const results = await Promise.all(replicas.map(([name, { checkpoints }]) => probeReplica(stores, name, { isNeeded: checkpoints, runId })));
  return results.flat();
}

async function probeReplica(
  stores: Pick<Stores, 'replicaRacks'>,
  name: string,
  { isNeeded, runId }: { isNeeded: boolean; runId: string },
): Promise<readonly ProbeResult[]> {
  const replica = `replica ${name}`;
  try {
    const results = await probeRacks(await stores.replicaRacks(name), runId);
    return results.map((result) => ({ ...result, store: `${replica}, ${result.store}`, group: replica, isNeeded: isNeeded && result.isNeeded }));
  } catch (error) {
    return [{ store: replica, ability: 'may and can be opened', works: 'no', isNeeded, evidence: firstLine(error) }];
  }
}
