/** A node of a site on disk: a real ring, its rack's and the hot tier's directories, and an erasure set in memory. */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createPosixFileStore } from '../../drivers/file-store/posix.ts';
import type { Stores } from '../../drivers/open-site.ts';
import { loadSiteFile } from '../../drivers/site-file.ts';
import type { CommitPath } from '../../model/commit-path.ts';
import { recordingStores } from '../unit/cli/recording-stores.ts';
import { siteFile } from '../unit/cli/support.ts';
import { type MemoryRack, memorySite } from '../unit/datapath/erasure/support.ts';

const RING_BYTES = 32 * 2 ** 20;

export interface CheckpointNode {
  readonly base: string;
  readonly stores: Stores;
  readonly racks: readonly MemoryRack[];
  readonly ringPath: string;
  remove(): Promise<void>;
}

/** Node n001 in rack r01. */
export async function checkpointNode(checkpoints: Partial<CommitPath> = {}): Promise<CheckpointNode> {
  const base = await mkdtemp(join(tmpdir(), 'penstock-node-'));
  const loaded = await loadSiteFile(siteFile);
  const ringPath = join(base, 'rings', 'n001');
  const store = (name: string) => createPosixFileStore({ name, root: join(base, name) });
  for (const name of ['n001', 'r01', 'hot']) await mkdir(join(base, name));
  const racks = memorySite();
  const site = {
    ...loaded,
    checkpoints: { ...loaded.checkpoints, depth: 2, ...checkpoints },
    nodes: loaded.nodes.map((node) => (node.id === 'n001' ? { ...node, ring: { path: ringPath, size: RING_BYTES } } : node)),
  };
  const stores: Stores = { ...recordingStores(site).stores, hotFiles: store('hot'), shardRacks: racks, rackFiles: store, nodeFiles: store };
  return { base, stores, racks, ringPath, remove: () => rm(base, { recursive: true, force: true }) };
}
