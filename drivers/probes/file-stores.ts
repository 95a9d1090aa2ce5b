/** Directories of nodes and racks: there is room, and what is written comes back. */
import { access } from 'node:fs/promises';
import { formatBytes } from '../../model/quantity.ts';
import type { FileStore } from '../file-store/port.ts';
import type { Stores } from '../open-site.ts';
import { CannotTell, createProber, expect, type ProbeResult } from './probe.ts';

/** Where the first copies of checkpoints, scratch and logs lie (nodes), and the second copies (racks with nodes). */
export async function probeFileStores(stores: Pick<Stores, 'site' | 'nodeFiles' | 'rackFiles'>, runId: string): Promise<readonly ProbeResult[]> {
  const { nodes } = stores.site;
  const racks = [...new Set(nodes.map((node) => node.rackId))].sort();
  const results = await Promise.all([
    ...nodes.map((node) => probeFileStore(stores.nodeFiles(node.id), 'nodes', 'room for scratch and checkpoints', runId)),
    ...racks.map((rack) => probeFileStore(stores.rackFiles(rack), 'in-rack', 'room for checkpoints in the rack', runId)),
  ]);
  return results.flat();
}

async function probeFileStore(store: FileStore, group: string, ability: string, runId: string): Promise<readonly ProbeResult[]> {
  const prober = createProber(store.name, group);
  await prober.needed(ability, async () => {
    await access(store.root).catch(() => {
      throw new CannotTell(`${store.root} cannot be seen from this machine`);
    });
    const path = `penstock-doctor-${runId}`;
    try {
      await store.write(path, Buffer.from('probe\n'));
      expect((await store.readBytes(path)).toString() === 'probe\n', 'other bytes came back');
    } finally {
      await store.remove(path);
    }
    const free = await store.freeBytes();
    expect(free > 0, 'no byte is free');
    return `${formatBytes(free)} free`;
  });
  return prober.results;
}
