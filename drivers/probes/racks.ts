/** Each rack of the erasure set: a shard and a manifest go in, come back, and are not replaced. */

import { isType, messageOf } from '../../model/errors.ts';
import { type RackStore, shardBodyOf } from '../rack-store/port.ts';
import { createProber, expect, type ProbeResult, refusalOf } from './probe.ts';

/** One shard a rack: data and parity. */
const SHARDS = 18;

/** Racks beyond those that a write needs are spares: their loss is told, and needs nothing. */
export async function probeRacks(racks: readonly RackStore[], runId: string): Promise<readonly ProbeResult[]> {
  const results = (await Promise.all(racks.map((rack) => probeRack(rack, runId)))).flat();
  const works = results.filter((result) => result.works === 'yes').length;
  return works >= SHARDS
    ? results.map((result) =>
        result.works === 'yes' ? result : { ...result, isNeeded: false, evidence: `${result.evidence} (${works} racks are left, a write needs ${SHARDS})` },
      )
    : results;
}

async function probeRack(rack: RackStore, runId: string): Promise<readonly ProbeResult[]> {
  const prober = createProber(`rack ${rack.id}`, 'racks');
  const key = (name: string): string => `penstock-doctor/${runId}/${name}`;
  await prober.needed('writes and reads shards', async () => {
    try {
      const body = Buffer.from(`shard of ${rack.id}\n`);
      await rack.writeShard(key('shard'), shardBodyOf(body));
      const back = Buffer.alloc(body.length);
      const { totalBytes } = await rack.readInto(key('shard'), back);
      expect(totalBytes === body.length && back.equals(body), 'other bytes came back');
      await rack.writeManifest(key('manifest'), body);
      const error = await refusalOf(() => rack.writeManifest(key('manifest'), body), 'a manifest could be replaced');
      expect(isType(error, 'Conflict'), `a second manifest failed otherwise: ${messageOf(error)}`);
      return 'a shard came back, a second manifest was refused';
    } finally {
      await Promise.allSettled([rack.remove(key('shard')), rack.remove(key('manifest'))]);
    }
  });
  return prober.results;
}
