/** Where things of an allocation lie in each store. Paths are built from validated identifiers only, here and nowhere else. */

import type { Endpoint } from '../datapath/transfer/endpoint.ts';
import { createFileEndpoint } from '../datapath/transfer/file-endpoint.ts';
import { createObjectEndpoint } from '../datapath/transfer/object-endpoint.ts';
import type { Stores } from '../drivers/open-site.ts';
import { type AllocationKey, allocationWorkflowId } from '../model/identifiers.ts';
import type { Location } from '../model/location.ts';

const within = (key: AllocationKey): string => `${key.tenant}/${key.project}/${key.allocationId}`;

/** On a node: scratch, the job's log spool and the first copy of its checkpoints. */
export const nodePlaces = (key: AllocationKey) => ({
  scratch: `scratch/${within(key)}`,
  logs: `logs/${within(key)}`,
  checkpoints: `checkpoints/${within(key)}`,
});

/** Scratch on the hot tier, for nodes without NVMe. */
export const networkScratch = (key: AllocationKey, nodeId: string): string => `scratch/${within(key)}/${nodeId}`;

/** Who holds the space of network scratch; apart from the allocation's pins, for it ends earlier. */
export const scratchOwner = (key: AllocationKey): string => `${allocationWorkflowId(key)}#scratch`;

/** Both the node's and the rack's copy of a checkpoint lie below this path of their store. */
export const checkpointDirectory = (key: AllocationKey, checkpointId: string): string => `checkpoints/${within(key)}/${checkpointId}`;

export function endpointAt(stores: Stores, location: Location): Endpoint {
  if (location.store === 'hot') return createFileEndpoint(stores.hotFiles, joinPath(location.bucket, location.prefix));
  return createObjectEndpoint(location.store === 'warm' ? stores.warm : stores.cold, location.bucket, location.prefix);
}

/** The hot tier's own path of a bucket and prefix: "/bucket/prefix". */
export const hotPath = (bucket: string, prefix: string): string => `/${joinPath(bucket, prefix)}`;

const joinPath = (bucket: string, prefix: string): string => `${bucket}/${prefix}`.replace(/\/+$/, '');
