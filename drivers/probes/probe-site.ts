/** Every probe of every store of a site, in an order that reads well. */
import { randomUUID } from 'node:crypto';
import type { Stores } from '../open-site.ts';
import { probeColdAbilities } from './cold-abilities.ts';
import { probeFileStores } from './file-stores.ts';
import { probeHotTier } from './hot-tier.ts';
import { probeObjectLock } from './object-lock.ts';
import { probeObjectStore } from './object-store.ts';
import type { ProbeResult } from './probe.ts';
import { probeRacks } from './racks.ts';
import { probeReplicas } from './replicas.ts';
import { openS3Target } from './s3-target.ts';

/** Leaves nothing but an empty bucket `penstock-doctor` in each store. */
export async function probeStores(stores: Stores): Promise<readonly ProbeResult[]> {
  const runId = randomUUID();
  const results = await Promise.all([
    probeHotTier(stores, runId),
    probeWarm(stores, runId),
    probeCold(stores, runId),
    probeRacks(stores.shardRacks, runId),
    probeReplicas(stores, runId),
    probeFileStores(stores, runId),
  ]);
  return results.flat();
}

async function probeWarm(stores: Stores, runId: string): Promise<readonly ProbeResult[]> {
  return probeObjectStore(await openS3Target(stores.warm, stores.site.stores.warm, runId), { objectLock: false });
}

/** Each output that is archived is locked, so the lock is always needed. */
async function probeCold(stores: Stores, runId: string): Promise<readonly ProbeResult[]> {
  const open = (name: string) => openS3Target(stores.cold, stores.site.stores.cold, `${runId}-${name}`);
  const basics = await probeObjectStore(await open('basics'), { objectLock: true });
  if (basics.length === 1) return basics; // it does not answer, or has no lock at all
  return [
    ...basics,
    ...(await probeObjectLock(await open('lock'), stores.site.policies.retention.mode)),
    ...(await probeColdAbilities(await open('cold'), stores.site.stores.cold.archive !== undefined)),
  ];
}
