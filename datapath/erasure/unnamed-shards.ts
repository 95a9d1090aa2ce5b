/**
 * Shards of a write that its manifest does not name: a repair that died before its commit has made them, or one whose manifest was lost. They describe themselves, so that whoever
 * has too few of the others can read them.
 */
import { eachPage, type From } from '../../drivers/pages.ts';
import type { RackStore } from '../../drivers/rack-store/port.ts';
import type { FindingLog } from './findings.ts';
import { parseShardKey, shardPrefix } from './layout.ts';
import { listNames } from './list.ts';
import type { ErasureManifest, PlacedShardEntry } from './manifest.ts';
import type { SurveyOptions } from './manifest-copies.ts';
import { type ShardSource, shardSource } from './shard-source.ts';
import { namesOf, placeOf } from './tidy.ts';

/**
 * The sources with others in the place of those that are not open, as far as any rack has some that are sound; undefined where none has. Every rack is listed: StoreUnavailable where more
 * are silent than an object may have lost.
 */
export async function withUnnamedShards(
  manifest: ErasureManifest,
  sources: readonly ShardSource[],
  racks: readonly RackStore[],
  { log, ...survey }: SurveyOptions & { readonly log: FindingLog },
): Promise<ShardSource[] | undefined> {
  const unnamed = await unnamedShards(manifest, racks, survey);
  const wanted = unnamed.filter(({ index }) => !sources.some((source) => source.index === index && source.isOpen()));
  const candidates = wanted.map((shard) =>
    shardSource({ manifest, shard, rack: racks.find(({ id }) => id === shard.rack), log, ...survey, silentAre: 'lost' }),
  );
  await Promise.all(candidates.map((source) => source.open()));
  const found = Map.groupBy(
    candidates.filter((source) => source.isOpen()),
    ({ index }) => index,
  );
  if (found.size === 0) return undefined;
  const others = sources.filter(({ index }) => !found.has(index));
  return [...others, ...[...found.values()].flatMap(([first]) => first ?? [])].sort((a, b) => a.index - b.index);
}

async function unnamedShards(manifest: ErasureManifest, racks: readonly RackStore[], survey: SurveyOptions): Promise<PlacedShardEntry[]> {
  const named = namesOf(manifest);
  const found: PlacedShardEntry[] = [];
  const list = ({ after }: From) => listNames(racks, `${shardPrefix(manifest.key)}${manifest.writeId}.`, { after, limit: 1000, ...survey });
  for await (const { names } of eachPage(list))
    for (const [name, holders] of names) {
      const shard = parseShardKey(manifest.key, name);
      if (!shard) continue;
      const { index, repairId } = shard;
      for (const { id } of holders) {
        if (!named.has(placeOf(id, name))) found.push({ index, rack: id, ...(repairId === undefined ? {} : { repairId }) });
      }
    }
  return found;
}
