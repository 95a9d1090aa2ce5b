/** The racks of the end-to-end cases: as many as an object has shards, each a directory, or a bucket of one gateway. */
import { findErasureObject } from '../../datapath/erasure/index.ts';
import { PARITY_SHARDS, TOTAL_SHARDS } from '../../datapath/erasure/layout.ts';
import type { RackStore } from '../../drivers/rack-store/port.ts';

/** Also the names of directories and buckets, of which S3 wants three characters. */
export const rackNames: readonly string[] = Array.from({ length: TOTAL_SHARDS }, (_, index) => `rack-${String(index + 1).padStart(2, '0')}`);

/** The racks of its first four data shards. */
export async function lostRacks(racks: readonly RackStore[], key: string): Promise<readonly string[]> {
  const manifest = await findErasureObject({ racks, key });
  return (manifest?.shards ?? []).filter(({ index }) => index < PARITY_SHARDS).map(({ rack }) => rack);
}
