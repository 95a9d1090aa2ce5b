/** A site file's stores, opened: the one place where configuration becomes drivers. */
import { join, resolve } from 'node:path';
import { rackTargetPath } from '../model/commit-path.ts';
import { ownRackClosure, replicaRackClosure, requireReplica } from '../model/erasure-set.ts';
import type { ExternalStoreConfig, ReplicaConfig, S3StoreConfig, Site } from '../model/site.ts';
import type { ColdTier } from './cold-tier/port.ts';
import { createS3ColdTier } from './cold-tier/s3.ts';
import type { FileStore } from './file-store/port.ts';
import { createPosixFileStore } from './file-store/posix.ts';
import type { HotTier } from './hot-tier/port.ts';
import { createVastContractHotTier } from './hot-tier/vast-contract.ts';
import type { ObjectStore } from './object-store/port.ts';
import { createS3ObjectStore } from './object-store/s3.ts';
import type { S3StoreOptions } from './object-store/s3-client.ts';
import { createDirectoryRack } from './rack-store/directory-rack.ts';
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
  /** Asks for archived objects of the cold store. */
  readonly coldTier: ColdTier;
  /** For ad hoc transfers, by their names in the site file. */
  readonly external: ReadonlyMap<string, ExternalStore>;
  /** The erasure set's racks. */
  readonly shardRacks: readonly RackStore[];
  /**
   * The racks of another site's erasure set, by its name in the site file. PolicyRefused where it lies outside the countries that the site, and the caller
   * where it names some, allows.
   */
  replicaRacks(name: string, within?: readonly string[]): Promise<readonly RackStore[]>;
  /** The store that holds the racks' buckets. */
  readonly shardObjects: ObjectStore;
  /** The in-rack checkpoint storage: the target that the node names, else the rack's directory. */
  rackFiles(rackId: string, nodeId?: string): FileStore;
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
    openS3('racks', racks, SHARD_SOCKETS),
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
    coldTier: createS3ColdTier(await s3Options('cold', cold)),
    shardObjects: shardStore,
    shardRacks: site.erasureSet.racks.map((rack) =>
      createObjectRack({ id: rack.id, room: rack.room, closed: ownRackClosure(site, rack), bucket: rack.bucket, store: shardStore }),
    ),
    replicaRacks: replicaOpener(site),
    rackFiles: (rackId, nodeId = '') =>
      createPosixFileStore({ name: `rack ${rackId}`, root: resolve(rackTargetPath(site, nodeId) ?? join(site.rackRoot, rackId)) }),
    nodeFiles: (nodeId) => createPosixFileStore({ name: `node ${nodeId}`, root: resolve(nodeConfig(site, nodeId).localRoot) }),
  };
}

/** Opened when first asked for: most processes never do, and a secret that only copies need must not keep a worker from starting. */
function replicaOpener(site: Site): Stores['replicaRacks'] {
  const opened = new Map<string, Promise<readonly RackStore[]>>();
  return async (name, within) => {
    const config = requireReplica(site, name, within);
    const opening = opened.get(name) ?? openReplica(site, name, config);
    opened.set(name, opening);
    // Tried again where a secret could not be read.
    opening.catch(() => opened.delete(name));
    return await opening;
  };
}

async function openReplica(site: Site, name: string, config: ReplicaConfig): Promise<readonly RackStore[]> {
  const base = config.racks.map((rack) => ({ id: rack.id, room: rack.room, bucket: rack.bucket, closed: replicaRackClosure(site, config, rack) }));
  if (config.driver === 'posix') return base.map(({ bucket, ...rack }) => createDirectoryRack({ ...rack, root: resolve(config.root, bucket) }));
  const store = await openExternalS3(`replica ${name}`, config);
  return base.map((rack) => createObjectRack({ ...rack, store }));
}

export function nodeConfig(site: Site, nodeId: string): Site['nodes'][number] {
  const node = site.nodes.find((each) => each.id === nodeId);
  if (!node) throw new TypeError(`node ${nodeId} is not in the site file`);
  return node;
}

/**
 * An object's 18 shards go out side by side and hold their connections until the last byte. Were there fewer than the objects under way need, lanes without one would
 * hold up those with one; more than 28 objects at once would need 2.5 GB of memory.
 */
const SHARD_SOCKETS = 512;

export async function openS3(name: string, config: Pick<S3StoreConfig, 'endpoint' | 'region' | 'credentials'>, maxSockets?: number): Promise<ObjectStore> {
  const sockets = maxSockets === undefined ? {} : { maxSockets };
  return createS3ObjectStore({ ...(await s3Options(name, config)), ...sockets });
}

async function s3Options(name: string, config: Pick<S3StoreConfig, 'endpoint' | 'region' | 'credentials'>): Promise<S3StoreOptions> {
  return { name, endpoint: config.endpoint, region: config.region, credentials: await resolveS3Credentials(config) };
}

async function openExternal(name: string, config: ExternalStoreConfig): Promise<ExternalStore> {
  return config.driver === 'posix'
    ? { kind: 'files', files: createPosixFileStore({ name, root: resolve(config.root) }) }
    : { kind: 'objects', objects: await openExternalS3(name, config) };
}

type S3Elsewhere = Pick<Extract<ExternalStoreConfig, { driver: 's3' }>, 'endpoint' | 'region' | 'credentials' | 'ca'>;

/** With a certificate authority of its own, where it has one. */
async function openExternalS3(name: string, config: S3Elsewhere): Promise<ObjectStore> {
  const { endpoint, region } = config;
  const ca = config.ca === undefined ? {} : { ca: await resolveSecret(config.ca) };
  return createS3ObjectStore({ name, endpoint, region, credentials: await resolveS3Credentials(config), ...ca });
}
