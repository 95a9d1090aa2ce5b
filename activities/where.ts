/** Where an object lies, asked of the racks themselves. No activity: an operator asks, and must get an answer while Temporal is away. */
import { readDrainedRecord } from '../datapath/checkpoint/drained.ts';
import { locateErasureObject } from '../datapath/erasure/locate.ts';
import type { Stores } from '../drivers/open-site.ts';
import type { RackStore } from '../drivers/rack-store/port.ts';
import { PenstockError } from '../model/errors.ts';
import type { LocatedObject } from '../model/located-object.ts';

/**
 * A small file of a checkpoint is where its pack is.
 * @param replica a copy's set, by its name in the site file; the site's own where absent
 */
export async function whereIs(stores: Stores, key: string, replica?: string): Promise<LocatedObject> {
  const racks = replica === undefined ? stores.shardRacks : await stores.replicaRacks(replica);
  try {
    return await locateErasureObject({ racks, key });
  } catch (error) {
    if (!(error instanceof PenstockError && error.type === 'NotFound')) throw error;
    const pack = await packOf(racks, key);
    if (pack === undefined) throw error;
    return { ...(await locateErasureObject({ racks, key: pack })), member: key };
  }
}

async function packOf(racks: readonly RackStore[], key: string): Promise<string | undefined> {
  const [, prefix, path] = /^(.+?\/checkpoints\/[^/]+\/)(.+)$/.exec(key) ?? [];
  if (prefix === undefined) return undefined;
  const record = await readDrainedRecord({ racks, prefix, signal: new AbortController().signal });
  if (!record || record.formatVersion === 1) return undefined;
  const index = record.files.find((file) => file.path === path)?.pack;
  const pack = index === undefined ? undefined : record.packs[index];
  return pack && prefix + pack.name;
}
