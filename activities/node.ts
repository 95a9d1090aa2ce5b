/** What happens on a node: scratch is made before the job and everything of the job is wiped after it. */
import { join } from 'node:path';
import { nodeConfig, type Stores } from '../drivers/open-site.ts';
import type { AssignedNode } from '../model/allocation.ts';
import { PenstockError } from '../model/errors.ts';
import type { AllocationKey } from '../model/identifiers.ts';
import type { NodeScratch } from '../model/mount-plan.ts';
import { formatBytes } from '../model/quantity.ts';
import { effect } from './effect.ts';
import { networkScratch, nodePlaces, scratchOwner } from './places.ts';

export interface PrepareNodeRequest extends AllocationKey {
  readonly node: AssignedNode;
  readonly scratchBytes: number;
  /** The network fallback's space is set aside until this ISO instant. */
  readonly expiresAt: string;
}

export type NodeActivities = ReturnType<typeof createNodeActivities>;

export function createNodeActivities(stores: Stores) {
  return {
    /** NVMe scratch where the node has it, else a directory of the hot tier, with the same promise of space. */
    prepareNode: (request: PrepareNodeRequest): Promise<NodeScratch> =>
      effect(
        async () => {
          const { node, scratchBytes } = request;
          const { localRoot } = nodeConfig(stores.site, node.nodeId);
          const files = stores.nodeFiles(node.nodeId);
          const places = nodePlaces(request);
          await files.ensureDirectory(places.logs);
          const common = { nodeId: node.nodeId, bytes: scratchBytes, logSpool: join(localRoot, places.logs) };
          if (node.features.includes('nvme_scratch')) {
            const free = await files.freeBytes();
            if (free < scratchBytes)
              throw new PenstockError('OutOfSpace', `scratch of ${formatBytes(scratchBytes)} was asked for, ${formatBytes(free)} are free.`, {
                store: files.name,
                nextStep: 'Assign another node or ask for less scratch.',
              });
            await files.ensureDirectory(places.scratch);
            return { ...common, kind: 'nvme', path: join(localRoot, places.scratch) };
          }
          const path = networkScratch(request, node.nodeId);
          const owner = scratchOwner(request);
          if (scratchBytes > 0)
            await stores.hot.reserve({ owner, key: `${owner}-${node.nodeId}`, path: `/${path}`, bytes: scratchBytes, expiresAt: request.expiresAt });
          await stores.hotFiles.ensureDirectory(path);
          return { ...common, kind: 'network', path: join(stores.hotFiles.root, path) };
        },
        { refuse: ['OutOfSpace'] },
      ),

    /** Nothing of the allocation is left on the node afterwards. */
    wipeNode: (request: AllocationKey & { node: AssignedNode }): Promise<void> =>
      effect(async (run) => {
        const files = stores.nodeFiles(request.node.nodeId);
        for (const place of Object.values(nodePlaces(request))) {
          run.signal.throwIfAborted();
          await files.remove(place);
        }
        await stores.hotFiles.remove(networkScratch(request, request.node.nodeId));
      }),
  };
}
