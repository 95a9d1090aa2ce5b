/** Stripes from whatever shards are sound: the data shards first, for then nothing has to be computed, others for each cell that is lost or rotten. */
import { PenstockError } from '../../model/errors.ts';
import type { CodecPool } from './codec-pool.ts';
import type { FindingLog } from './findings.ts';
import { DATA_SHARDS, TOTAL_SHARDS } from './layout.ts';
import { type ErasureManifest, missingShards } from './manifest.ts';
import type { ShardSource } from './shard-source.ts';

export interface StripeReader {
  /** The stripe's 14 data cells. NotEnoughShards, naming the racks, where fewer than 14 cells are sound. */
  dataCells(stripe: number): Promise<Buffer[]>;
}

export function stripeReader(manifest: ErasureManifest, sources: readonly ShardSource[], log: FindingLog, codec: CodecPool): StripeReader {
  return {
    async dataCells(stripe) {
      const cells = new Map<number, Buffer>();
      const untried = [...sources];
      while (cells.size < DATA_SHARDS) {
        // In order of index, so data before parity.
        const batch = untried.filter((source) => !source.isLost()).slice(0, DATA_SHARDS - cells.size);
        if (batch.length === 0) throw notEnough(manifest, stripe, cells.size, log);
        await Promise.all(
          batch.map(async (source) => {
            untried.splice(untried.indexOf(source), 1);
            const cell = await source.cell(stripe);
            if (cell) cells.set(source.index, cell);
          }),
        );
      }
      return completeData(cells, manifest.cellBytes, codec);
    },
  };
}

/** The data cells in order, the missing ones rebuilt from any 14. */
export async function completeData(cells: ReadonlyMap<number, Buffer>, cellBytes: number, codec: CodecPool): Promise<Buffer[]> {
  const indices = Array.from({ length: DATA_SHARDS }, (_, index) => index);
  const wanted = indices.filter((index) => !cells.has(index));
  if (wanted.length === 0) return indices.flatMap((index) => cells.get(index) ?? []);
  const slab = Buffer.allocUnsafeSlow(TOTAL_SHARDS * cellBytes);
  const present = [...cells.keys()].sort((a, b) => a - b).slice(0, DATA_SHARDS);
  for (const index of present) cells.get(index)?.copy(slab, index * cellBytes);
  const result = await codec.run({ kind: 'reconstruct', slab: slab.buffer, cellBytes, present, wanted });
  return indices.map((index) => Buffer.from(result.slab, index * cellBytes, cellBytes));
}

function notEnough(manifest: ErasureManifest, stripe: number, sound: number, log: FindingLog): PenstockError {
  const reasons = log.findings.map(({ rack, index, kind, message }) => `${rack} (shard ${index} ${kind}: ${message})`);
  const unwritten = missingShards(manifest).map((index) => `shard ${index} was never written`);
  return new PenstockError(
    'NotEnoughShards',
    `${JSON.stringify(manifest.key)} cannot be restored: stripe ${stripe} has ${sound} sound cells of the ${DATA_SHARDS} needed; ${[...reasons, ...unwritten].join(', ')}.`,
    { nextStep: 'Bring back enough of the racks named.' },
  );
}
