/** Ends what nobody will finish: uploads in parts and temporary files that have not been touched for longer than any transfer may be stopped. */
import { createHash } from 'node:crypto';
import * as z from 'zod';
import type { ObjectStore } from '../drivers/object-store/port.ts';
import type { Stores } from '../drivers/open-site.ts';
import { eachPage } from '../drivers/pages.ts';
import { absent, isType } from '../model/errors.ts';
import { type Location, SYSTEM_BUCKET } from '../model/location.ts';
import { effect, type Run } from './effect.ts';
import { endpointAt, isTree } from './places.ts';

const TARGETS_PREFIX = 'targets/';
/** An answer stays below 64 KiB, a run below 3,000 events. */
const NODES_AT_ONCE = 400;
const HOUR_MS = 3_600_000;

export interface SweepPlan {
  /** ISO instant. */
  readonly olderThan: string;
  readonly racks: readonly string[];
  readonly nodes: readonly string[];
  /** Where the next run goes on; absent at the end. */
  readonly nextNode?: number;
}
export interface SweepAnswer {
  readonly uploads: number;
  readonly temporaryFiles: number;
}

const TargetSchema = z.strictObject({ store: z.string(), bucket: z.string(), prefix: z.string() });

export type SweepActivities = ReturnType<typeof createSweepActivities>;

export function createSweepActivities(stores: Stores) {
  const { site } = stores;
  const files = async (sweeping: Promise<number>): Promise<SweepAnswer> => ({ uploads: 0, temporaryFiles: await sweeping });
  return {
    planSweep: ({ nodesFrom }: { nodesFrom: number }): Promise<SweepPlan> =>
      effect(async () => {
        const end = nodesFrom + NODES_AT_ONCE;
        return {
          olderThan: new Date(Date.now() - site.policies.sweepAfterHours * HOUR_MS).toISOString(),
          racks: nodesFrom === 0 ? [...new Set(site.nodes.map((node) => node.rackId))] : [],
          nodes: site.nodes.slice(nodesFrom, end).map((node) => node.id),
          ...(end < site.nodes.length ? { nextNode: end } : {}),
        };
      }),

    sweepStores: ({ olderThan }: { olderThan: string }): Promise<SweepAnswer> =>
      effect(async (run) => {
        const tiers = await sweepTiers(stores, olderThan, run);
        const targets = await sweepTargets(stores, olderThan, run);
        return { uploads: tiers + targets.uploads, temporaryFiles: targets.temporaryFiles + (await stores.hotFiles.sweep('', olderThan)) };
      }),

    sweepRack: ({ rackId, olderThan }: { rackId: string; olderThan: string }): Promise<SweepAnswer> =>
      effect(() => files(stores.rackFiles(rackId).sweep('', olderThan))),

    sweepNode: ({ nodeId, olderThan }: { nodeId: string; olderThan: string }): Promise<SweepAnswer> =>
      effect(() => files(stores.nodeFiles(nodeId).sweep('', olderThan))),
  };
}

/** The buckets that are Penstock's to keep in order: its own, those of the tenants it moved for, shared ones and racks. */
async function sweepTiers(stores: Stores, olderThan: string, run: Run): Promise<number> {
  const { warm, cold, site } = stores;
  const shared = site.policies.sharedBuckets;
  const tenants = ((await warm.listPrefixes(SYSTEM_BUCKET, 'manifests/').catch(absent)) ?? []).map((prefix) => prefix.slice('manifests/'.length, -1));
  const buckets = [...new Set([...shared, ...tenants.filter((name) => name !== 'transfers')])];
  const places: (readonly [ObjectStore, string])[] = [
    [warm, SYSTEM_BUCKET],
    ...buckets.flatMap((bucket) => [[warm, bucket] as const, [cold, bucket] as const]),
    ...site.erasureSet.racks.map(({ bucket }) => [stores.shardObjects, bucket] as const),
  ];
  let swept = 0;
  for (const [store, bucket] of places) {
    run.signal.throwIfAborted();
    run.report({ sweeping: `${store.name} s3://${bucket}/`, swept });
    // A bucket that is not there has nothing to sweep.
    swept += (await store.sweep?.(bucket, '', olderThan).catch(absent)) ?? 0;
  }
  return swept;
}

/** Where ad hoc transfers went; forgotten once nothing that was begun there can be left. */
async function sweepTargets(stores: Stores, olderThan: string, run: Run): Promise<SweepAnswer> {
  const { warm } = stores;
  const swept = { uploads: 0, temporaryFiles: 0 };
  for await (const { entries } of eachPage((from) => warm.list(SYSTEM_BUCKET, TARGETS_PREFIX, from)))
    for (const { key, modifiedAt } of entries) {
      run.signal.throwIfAborted();
      const target = TargetSchema.parse(JSON.parse((await warm.readBytes(SYSTEM_BUCKET, key)).toString('utf8')));
      run.report({ sweeping: `${target.store} ${target.bucket}/${target.prefix}`, ...swept });
      swept[isTree(stores, target.store) ? 'temporaryFiles' : 'uploads'] += await sweepTarget(stores, target, olderThan);
      // Twice the age: a transfer that began with the record may have begun its last upload much later.
      if (Date.parse(modifiedAt) < 2 * Date.parse(olderThan) - Date.now()) await warm.remove(SYSTEM_BUCKET, key);
    }
  return swept;
}

/** A store that the site file no longer names has nothing that could be swept from here. */
async function sweepTarget(stores: Stores, target: Location, olderThan: string): Promise<number> {
  try {
    return (await endpointAt(stores, target).sweep(olderThan).catch(absent)) ?? 0;
  } catch (error) {
    if (isType(error, 'InvalidInput')) return 0;
    throw error;
  }
}

/** One object for each target, however often it is one. */
export async function rememberTarget({ warm }: Stores, { store, bucket, prefix }: Location): Promise<void> {
  const body = JSON.stringify({ store, bucket, prefix });
  const name = createHash('sha256').update(body).digest('hex').slice(0, 32);
  await warm.ensureBucket(SYSTEM_BUCKET);
  await warm.writeBytes(SYSTEM_BUCKET, `${TARGETS_PREFIX}${store}/${name}.json`, Buffer.from(body), { contentType: 'application/json' });
}
