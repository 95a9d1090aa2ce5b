/** Where everything of an embedded site lies: one directory, so that removing it removes the site. */
import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Site } from '../../model/site.ts';

export interface SiteLayout {
  readonly directory: string;
  readonly siteFile: string;
  readonly stateFile: string;
  readonly lock: string;
  readonly logs: string;
  readonly secrets: string;
  /** The hot tier's tree, what it can recall, and its snapshots. */
  readonly hot: string;
  readonly hotOrigin: string;
  readonly hotSnapshots: string;
  /** Where the hot gateway's private mount namespace shows the tree without symbolic links; empty outside of it. */
  readonly hotWithoutLinks: string;
  readonly hotState: string;
  readonly nfs: string;
  readonly databaseFile: string;
  readonly rackRoot: string;
  readonly s3: (store: 'warm' | 'cold' | 'racks') => string;
  readonly coldVersions: string;
}

export function layOut(directory: string, site: Site): SiteLayout {
  const root = resolve(directory);
  const below = (path: string): string => resolve(root, path);
  return {
    directory: root,
    siteFile: join(root, 'site.yaml'),
    stateFile: join(root, 'state.json'),
    lock: join(root, 'lock'),
    logs: join(root, 'logs'),
    secrets: join(root, 'secrets'),
    hot: below(site.stores.hot.root),
    hotOrigin: join(root, 'hot-origin'),
    hotSnapshots: join(root, 'hot-snapshots'),
    hotWithoutLinks: join(root, 'hot-without-links'),
    hotState: join(root, 'hot-state'),
    nfs: join(root, 'nfs'),
    databaseFile: below(site.temporal.databaseFile),
    rackRoot: below(site.rackRoot),
    s3: (store) => join(root, 's3', store),
    coldVersions: join(root, 's3', 'cold-versions'),
  };
}

/** The site with every relative path below the site directory. */
export function withAbsolutePaths(site: Site, layout: SiteLayout): Site {
  return {
    ...site,
    temporal: { ...site.temporal, databaseFile: layout.databaseFile },
    stores: {
      ...site.stores,
      hot: { ...site.stores.hot, root: layout.hot },
      external: Object.fromEntries(
        Object.entries(site.stores.external).map(([name, store]) => [
          name,
          store.driver === 'posix' ? { ...store, root: resolve(layout.directory, store.root) } : store,
        ]),
      ),
    },
    erasureSet: {
      ...site.erasureSet,
      replicas: Object.fromEntries(
        Object.entries(site.erasureSet.replicas).map(([name, replica]) => [
          name,
          replica.driver === 'posix' ? { ...replica, root: resolve(layout.directory, replica.root) } : replica,
        ]),
      ),
    },
    rackRoot: layout.rackRoot,
    nodes: site.nodes.map((node) => ({
      ...node,
      localRoot: resolve(layout.directory, node.localRoot),
      ...(node.ring ? { ring: { ...node.ring, path: resolve(layout.directory, node.ring.path) } } : {}),
    })),
    ...(site.audit ? { audit: { ...site.audit, spool: resolve(layout.directory, site.audit.spool) } } : {}),
    checkpoints: { ...site.checkpoints, targets: site.checkpoints.targets.map((target) => ({ ...target, path: resolve(layout.directory, target.path) })) },
  };
}

/** @param site with absolute paths. Trees outside the site's directory are somebody else's to make. A plain directory below a gateway's root is a bucket (tried with versitygw 1.8.0). */
export async function createDirectories(site: Site, layout: SiteLayout): Promise<void> {
  await mkdir(layout.directory, { recursive: true });
  await mkdir(layout.secrets, { recursive: true, mode: 0o700 });
  const directories = [
    layout.logs,
    layout.hot,
    layout.hotOrigin,
    layout.hotSnapshots,
    layout.hotWithoutLinks,
    layout.hotState,
    layout.s3('warm'),
    layout.s3('cold'),
    layout.s3('racks'),
    layout.coldVersions,
    join(layout.nfs, 'recovery'),
    ...site.policies.sharedBuckets.map((bucket) => join(layout.hot, bucket)),
    ...site.erasureSet.racks.flatMap((rack) => [join(layout.rackRoot, rack.id), join(layout.s3('racks'), rack.bucket)]),
    ...Object.values(site.erasureSet.replicas).flatMap((replica) =>
      replica.driver === 'posix' && replica.root.startsWith(`${layout.directory}/`) ? replica.racks.map((rack) => join(replica.root, rack.bucket)) : [],
    ),
    ...site.nodes.map((node) => node.localRoot),
    ...site.checkpoints.targets.map(({ path }) => path).filter((path) => path.startsWith(`${layout.directory}/`)),
  ];
  for (const directory of directories) await mkdir(directory, { recursive: true });
}
