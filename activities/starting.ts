/** Starting: directories, exports with floors, snapshots. Each repeats harmlessly: keys are derived from the allocation. */
import { createHash } from 'node:crypto';
import { Context } from '@temporalio/activity';
import type { HotTier } from '../drivers/hot-tier/port.ts';
import type { Stores } from '../drivers/open-site.ts';
import type { AssignedNode } from '../model/allocation.ts';
import type { ResolvedData, ResolvedMount } from '../model/data-declaration.ts';
import { PenstockError } from '../model/errors.ts';
import { type AllocationKey, allocationWorkflowId } from '../model/identifiers.ts';
import type { PlannedMount, PlannedPrefix } from '../model/mount-plan.ts';
import { effect } from './effect.ts';
import { hotPath } from './places.ts';

export interface ExportsRequest extends AllocationKey {
  readonly mounts: readonly ResolvedMount[];
  readonly clients: readonly string[];
  readonly expiresAt: string;
}
export interface PreparedPrefixes {
  readonly output: PlannedPrefix;
  readonly checkpoints?: PlannedPrefix;
}

export type StartingActivities = ReturnType<typeof createStartingActivities>;

export function createStartingActivities(stores: Stores) {
  return {
    preparePrefixes: ({ data, nodes, ...key }: AllocationKey & { data: ResolvedData; nodes: readonly AssignedNode[] }): Promise<PreparedPrefixes> =>
      effect(async () => {
        refuseUnknownNodes(stores, nodes);
        const directories = [
          `${key.tenant}/${data.outputPrefix}`,
          ...(data.checkpointPrefix === undefined ? [] : [`${key.tenant}/${data.checkpointPrefix}`]),
          ...data.mounts.filter((mount) => mount.scheme === 'nfs').map((mount) => `${mount.bucket}/${mount.prefix}`),
        ];
        for (const directory of directories) await stores.hotFiles.ensureDirectory(directory.replace(/\/+$/, ''));
        await stores.warm.ensureBucket(key.tenant);
        await stores.cold.ensureBucket(key.tenant, { objectLock: true });
        const planned = (prefix: string): PlannedPrefix => ({
          uri: `s3://${key.tenant}/${prefix}`,
          endpoint: stores.site.stores.hot.s3.endpoint,
          bucket: key.tenant,
          prefix,
        });
        return { output: planned(data.outputPrefix), ...(data.checkpointPrefix === undefined ? {} : { checkpoints: planned(data.checkpointPrefix) }) };
      }),

    /** Refused floors are answered at once: the scheduler may start the job elsewhere or later. */
    openExports: (request: ExportsRequest): Promise<PlannedMount[]> =>
      effect(
        async (run) => {
          const planned: PlannedMount[] = [];
          for (const [index, mount] of request.mounts.entries()) {
            run.signal.throwIfAborted();
            planned.push(mount.tierHint === 'warm' ? inPlace(stores, mount) : await exportMount(stores.hot, mount, index, request));
          }
          return planned;
        },
        { refuse: ['FloorUnavailable'] },
      ),

    /** One id a mount, null where the data may change under the job anyway or is not hot. */
    takeSnapshots: (request: AllocationKey & { mounts: readonly ResolvedMount[]; expiresAt: string }): Promise<(string | null)[]> =>
      effect(async (run) => {
        const owner = allocationWorkflowId(request);
        const ids: (string | null)[] = [];
        for (const [index, mount] of request.mounts.entries()) {
          run.signal.throwIfAborted();
          const wanted = mount.tierHint === 'hot' && mount.access === 'read-only';
          const path = hotPath(mount.bucket, mount.prefix);
          ids.push(
            wanted
              ? (
                  await stores.hot.createSnapshot({
                    owner,
                    key: `${owner}#snapshot-${index}-${Context.current().info.workflowExecution?.runId ?? ''}`,
                    path,
                    expiresAt: request.expiresAt,
                  })
                ).snapshotId
              : null,
          );
        }
        return ids;
      }),
  };
}

/** A node or rack that the site does not know has no worker: its calls would wait in a queue that nobody reads. */
function refuseUnknownNodes({ site }: Stores, nodes: readonly AssignedNode[]): void {
  for (const [index, { nodeId, rackId }] of nodes.entries()) {
    const known = site.nodes.find((node) => node.id === nodeId);
    if (known?.rackId === rackId) continue;
    const found = known
      ? `nodes[${index}].rackId: found ${rackId}; accepted: ${known.rackId}`
      : `nodes[${index}].nodeId: found ${nodeId}; accepted: a node of the site file`;
    throw new PenstockError('NodeUnavailable', `${found}.`);
  }
}

/** The export first, then its floor: what the specification's two calls at job start are for. */
async function exportMount(hot: HotTier, mount: ResolvedMount, index: number, request: ExportsRequest): Promise<PlannedMount> {
  const owner = allocationWorkflowId(request);
  const created = await hot.createExport({
    owner,
    key: `${owner}#export-${index}-${digestOf(request.clients)}`,
    path: hotPath(mount.bucket, mount.prefix),
    access: mount.access,
    clients: request.clients,
    qos: { floorBytesPerSecond: 0, ceilingBytesPerSecond: mount.ceilingBytesPerSecond },
    expiresAt: request.expiresAt,
  });
  const qos = { floorBytesPerSecond: mount.floorBytesPerSecond, ceilingBytesPerSecond: mount.ceilingBytesPerSecond };
  const granted = mount.floorBytesPerSecond > 0 ? await hot.setQos(created.exportId, qos) : created;
  if (granted.qos.floorBytesPerSecond !== mount.floorBytesPerSecond) {
    throw new PenstockError(
      'FloorUnavailable',
      `the export of ${created.path} answered a floor of ${granted.qos.floorBytesPerSecond} instead of ${mount.floorBytesPerSecond} bytes per second.`,
      { store: hot.name },
    );
  }
  return {
    source: mount.source,
    target: mount.target,
    access: mount.access,
    exportId: created.exportId,
    ...qos,
    s3: created.s3,
    ...(created.nfs ? { nfs: created.nfs } : {}),
  };
}

/** The nodes are part of the key, and may be hundreds. */
const digestOf = (clients: readonly string[]): string => createHash('sha256').update(clients.toSorted().join('\n')).digest('hex').slice(0, 16);

function inPlace(stores: Stores, mount: ResolvedMount): PlannedMount {
  return {
    source: mount.source,
    target: mount.target,
    access: mount.access,
    floorBytesPerSecond: 0,
    ceilingBytesPerSecond: 0,
    s3: { endpoint: stores.site.stores.warm.endpoint, bucket: mount.bucket, prefix: mount.prefix },
  };
}
