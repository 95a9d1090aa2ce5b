/** A site file's stores, opened: the one place where configuration becomes drivers. */
import { resolve } from 'node:path';
import type { ExternalStoreConfig, S3StoreConfig, Site } from '../model/site.ts';
import type { FileStore } from './file-store/port.ts';
import { createPosixFileStore } from './file-store/posix.ts';
import type { HotTier } from './hot-tier/port.ts';
import { createVastContractHotTier } from './hot-tier/vast-contract.ts';
import type { ObjectStore } from './object-store/port.ts';
import { createS3ObjectStore } from './object-store/s3.ts';
import { createObjectRack } from './rack-store/object-rack.ts';
import type { RackStore } from './rack-store/port.ts';
import { resolveS3Credentials, resolveSecret } from './site-file.ts';

/** A store beside the tiers, of either kind. */
export type ExternalStore = { readonly kind: 'objects'; readonly objects: ObjectStore } | { readonly kind: 'files'; readonly files: FileStore };

export interface Stores {
  readonly site: Site;
  readonly hot: HotTier;
  /** The hot tier's tree as movers see it. */
  readonly hotFiles: FileStore;
  /** The same tree over S3; for probes and clients, not for moving. */
  readonly hotObjects: ObjectStore;
  readonly warm: ObjectStore;
  readonly cold: ObjectStore;
  /** For ad hoc transfers, by their names in the site file. */
  readonly external: ReadonlyMap<string, ExternalStore>;
  /** The erasure set's racks. */
  readonly shardRacks: readonly RackStore[];
  /** The store that holds the racks' buckets. */
  readonly shardObjects: ObjectStore;
  /** The in-rack checkpoint storage, one directory per rack. */
  rackFiles(rackId: string): FileStore;
  /** A node's own storage. */
  nodeFiles(nodeId: string): FileStore;
}

/** @throws PenstockError InvalidInput where an address is still `embedded` (the site is not up) or a secret cannot be read */
export async function openStores(site: Site): Promise<Stores> {
  const { hot, warm, cold, racks } = site.stores;
  const token = hot.management.token ? await resolveSecret(hot.management.token) : '';
  const [hotObjects, warmStore, coldStore, shardStore] = await Promise.all([
    openS3('hot', hot.s3),
    openS3('warm', warm),
    openS3('cold', cold),
    openS3('racks', racks),
  ]);
  const external = Object.entries(site.stores.external).map(async ([name, config]) => [name, await openExternal(name, config)] as const);
  return {
    site,
    external: new Map(await Promise.all(external)),
    hot: createVastContractHotTier({ name: 'hot', endpoint: hot.management.endpoint, token }),
    hotFiles: createPosixFileStore({ name: 'hot', root: resolve(hot.root) }),
    hotObjects,
    warm: warmStore,
    cold: coldStore,
    shardObjects: shardStore,
    shardRacks: site.erasureSet.racks.map((rack) => createObjectRack({ id: rack.id, room: rack.room, bucket: rack.bucket, store: shardStore })),
    rackFiles: (rackId) => createPosixFileStore({ name: `rack ${rackId}`, root: resolve(site.rackRoot, rackId) }),
    nodeFiles: (nodeId) => createPosixFileStore({ name: `node ${nodeId}`, root: resolve(nodeConfig(site, nodeId).localRoot) }),
  };
}

export function nodeConfig(site: Site, nodeId: string): Site['nodes'][number] {
  const node = site.nodes.find((each) => each.id === nodeId);
  if (!node) throw new TypeError(`node ${nodeId} is not in the site file`);
  return node;
}

async function openS3(name: string, config: Pick<S3StoreConfig, 'endpoint' | 'region' | 'credentials'>): Promise<ObjectStore> {
  return createS3ObjectStore({ name, endpoint: config.endpoint, region: config.region, credentials: await resolveS3Credentials(config) });
}

async function openExternal(name: string, config: ExternalStoreConfig): Promise<ExternalStore> {
  switch (config.driver) {
    case 'posix':
      return { kind: 'files', files: createPosixFileStore({ name, root: resolve(config.root) }) };
    case 's3': {
      const { endpoint, region } = config;
      const ca = config.ca === undefined ? {} : { ca: await resolveSecret(config.ca) };
      return { kind: 'objects', objects: createS3ObjectStore({ name, endpoint, region, credentials: await resolveS3Credentials(config), ...ca }) };
    }
  }
}
