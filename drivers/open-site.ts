/** A site file's stores, opened: the one place where configuration becomes drivers. */
import { resolve } from 'node:path';
import type { S3StoreConfig, Site } from '../model/site.ts';
import type { FileStore } from './file-store/port.ts';
import { createPosixFileStore } from './file-store/posix.ts';
import type { HotTier } from './hot-tier/port.ts';
import { createVastContractHotTier } from './hot-tier/vast-contract.ts';
import type { ObjectStore } from './object-store/port.ts';
import { createS3ObjectStore } from './object-store/s3.ts';
import { createObjectRack } from './rack-store/object-rack.ts';
import type { RackStore } from './rack-store/port.ts';
import { resolveS3Credentials, resolveSecret } from './site-file.ts';

export interface Stores {
  readonly site: Site;
  readonly hot: HotTier;
  /** The hot tier's tree as movers see it. */
  readonly hotFiles: FileStore;
  /** The same tree over S3; for probes and clients, not for moving. */
  readonly hotObjects: ObjectStore;
  readonly warm: ObjectStore;
  readonly cold: ObjectStore;
  /** The erasure set's racks. */
  readonly shardRacks: readonly RackStore[];
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
  return {
    site,
    hot: createVastContractHotTier({ name: 'hot', endpoint: hot.management.endpoint, token }),
    hotFiles: createPosixFileStore({ name: 'hot', root: resolve(hot.root) }),
    hotObjects,
    warm: warmStore,
    cold: coldStore,
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
