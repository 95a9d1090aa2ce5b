/** Where things of an allocation lie in each store. Paths are built from validated identifiers only, here and nowhere else. */

import type { Endpoint } from '../datapath/transfer/endpoint.ts';
import { createFileEndpoint, type FileEndpointOptions } from '../datapath/transfer/file-endpoint.ts';
import { createObjectEndpoint } from '../datapath/transfer/object-endpoint.ts';
import type { FileStore } from '../drivers/file-store/port.ts';
import type { ObjectStore } from '../drivers/object-store/port.ts';
import type { Stores } from '../drivers/open-site.ts';
import { PenstockError } from '../model/errors.ts';
import { type AllocationKey, allocationWorkflowId } from '../model/identifiers.ts';
import type { Location } from '../model/location.ts';
import { storeNames } from '../model/site.ts';

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

/** @throws PenstockError InvalidInput where the site has no such store for data */
export function endpointAt(stores: Stores, location: Location, options: FileEndpointOptions = {}): Endpoint {
  const { store, bucket, prefix } = location;
  const files = treeOf(stores, store);
  return files ? createFileEndpoint(files, joinPath(bucket, prefix), options) : createObjectEndpoint(objectsOf(stores, store), bucket, prefix);
}

/** Whether it is a directory tree rather than an object store. */
export const isTree = (stores: Stores, store: string): boolean => treeOf(stores, store) !== undefined;

/** Undefined where it is an object store, or none of the site. */
export function treeOf(stores: Stores, store: string): FileStore | undefined {
  if (store === 'hot') return stores.hotFiles;
  const external = stores.external.get(store);
  return external?.kind === 'files' ? external.files : undefined;
}

/** @throws PenstockError InvalidInput where the site has no such object store */
export function objectsOf(stores: Stores, store: string): ObjectStore {
  if (store === 'warm' || store === 'cold') return stores[store];
  const external = stores.external.get(knownStore(stores, store));
  if (external?.kind === 'objects') return external.objects;
  throw new TypeError(`store ${store} is in the site file and was not opened as an object store`);
}

/** The name again. @throws PenstockError InvalidInput, naming the stores there are */
export function knownStore(stores: Stores, name: string): string {
  const known = storeNames(stores.site);
  if (known.includes(name)) return name;
  throw new PenstockError('InvalidInput', `store: found ${JSON.stringify(name)}; accepted: ${known.join(', ')}`, {
    nextStep: 'Name one of them, or add it to the site file under stores.external.',
  });
}

/** The hot tier's own path of a bucket and prefix: "/bucket/prefix". */
export const hotPath = (bucket: string, prefix: string): string => `/${joinPath(bucket, prefix)}`;

const joinPath = (bucket: string, prefix: string): string => `${bucket}/${prefix}`.replace(/\/+$/, '');
