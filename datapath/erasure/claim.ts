/**
 * Makes an object's manifest anew from its shards, which describe themselves. For a person's decision: shards without any manifest may also be an attempt that
 * its writer was never told of, or what is left of a removal.
 */
import { eachPage } from '../../drivers/pages.ts';
import type { RackStore } from '../../drivers/rack-store/port.ts';
import { PenstockError } from '../../model/errors.ts';
import { commitManifest } from './commit.ts';
import { crc32cText, parseHeader, parseTail } from './format.ts';
import {
  cellOffset,
  checkKey,
  DATA_SHARDS,
  FOOTER_BYTES,
  HEADER_BYTES,
  PARITY_SHARDS,
  parseRemovalName,
  parseShardKey,
  shardBytes,
  shardPrefix,
  TABLE_ENTRY_BYTES,
} from './layout.ts';
import { listNames } from './list.ts';
import type { ErasureManifest, PlacedShardEntry } from './manifest.ts';
import { findManifest, type SurveyOptions } from './manifest-copies.ts';
import { defaultPatience, type Patience } from './patience.ts';
import { askRack, withLastChance } from './rack-memory.ts';

export interface ClaimErasureObject {
  readonly racks: readonly RackStore[];
  readonly key: string;
  readonly signal?: AbortSignal | undefined;
  readonly patience?: Patience | undefined;
}

type Claim = Omit<ErasureManifest, 'shards'>;
interface FoundShard {
  readonly claim: Claim;
  readonly entry: PlacedShardEntry;
}

/**
 * The object is committed afterwards, or was before. NotEnoughShards where no write has 14 sound shards; Conflict where several have, with different
 * contents: only who wrote them knows which was meant.
 */
export async function claimErasureObject({ racks, key, signal, patience: given = defaultPatience }: ClaimErasureObject): Promise<ErasureManifest> {
  checkKey(key);
  return await withLastChance(racks, given, (patience) => claim(racks, key, { patience, signal }));
}

async function claim(racks: readonly RackStore[], key: string, survey: SurveyOptions): Promise<ErasureManifest> {
  const known = await findManifest(racks, key, survey);
  if (known) return known.manifest;
  const shards = await findShards(racks, key, survey);
  const writes = [...Map.groupBy(shards, ({ claim }) => JSON.stringify(claim)).values()].map(placed).filter(({ length }) => length >= DATA_SHARDS);
  const [first] = writes;
  if (!first?.[0]) {
    throw new PenstockError('NotEnoughShards', `of no write of ${JSON.stringify(key)} are ${DATA_SHARDS} sound shards there.`, {
      nextStep: 'Bring back the racks that held them.',
    });
  }
  const contents = new Set(writes.map((write) => write[0]?.claim.sha256));
  if (contents.size > 1) {
    throw new PenstockError('Conflict', `there are ${contents.size} contents for ${JSON.stringify(key)}: SHA-256 ${[...contents].join(', ')}.`, {
      nextStep: 'Remove the shards of those that were not meant.',
    });
  }
  const manifest: ErasureManifest = { ...first[0].claim, shards: first.map(({ entry }) => entry) };
  const result = await commitManifest(racks, manifest, survey);
  return result.state === 'lost' ? result.winner : manifest;
}

/** At most one of each index, and one a rack. */
function placed(found: readonly FoundShard[]): FoundShard[] {
  const indices = new Set<number>();
  const racks = new Set<string>();
  return found
    .toSorted((a, b) => a.entry.index - b.entry.index)
    .filter(({ entry: { index, rack } }) => {
      if (indices.has(index) || racks.has(rack)) return false;
      indices.add(index);
      racks.add(rack);
      return true;
    });
}

/** Shards whose header, table and footer are sound, and that nobody was removing; cells are for the scrub. */
async function findShards(racks: readonly RackStore[], key: string, survey: SurveyOptions): Promise<FoundShard[]> {
  const found: FoundShard[] = [];
  const removed = new Set<string>();
  for await (const { names } of eachPage(({ after }) => listNames(racks, shardPrefix(key), { after, limit: 1000, ...survey }))) {
    for (const name of names.keys()) {
      const removal = parseRemovalName(name);
      if (removal?.key === key) removed.add(removal.writeId);
    }
    for (const [name, holders] of names) {
      for (const rack of parseShardKey(key, name) ? holders : []) {
        const shard = await describe(rack, key, name, survey);
        if (shard) found.push(shard);
      }
    }
  }
  return found.filter(({ claim }) => !removed.has(claim.writeId));
}

async function describe(rack: RackStore, key: string, name: string, survey: SurveyOptions): Promise<FoundShard | undefined> {
  const read = (start: number, bytes: number) =>
    askRack(rack, 'reading a shard', survey, async (inner) => {
      const into = Buffer.alloc(bytes);
      const answer = await rack.readInto(name, into, { start, signal: inner });
      return { bytes: into.subarray(0, answer.bytes), totalBytes: answer.totalBytes };
    });
  const parsed = parseShardKey(key, name);
  try {
    const header = parseHeader((await read(0, HEADER_BYTES)).bytes);
    const tail = await read(cellOffset(header, header.stripes), header.stripes * TABLE_ENTRY_BYTES + FOOTER_BYTES);
    const { digest } = parseTail(header, tail.bytes);
    if (!parsed || header.key !== key || header.writeId !== parsed.writeId || header.index !== parsed.index) return undefined;
    if (tail.totalBytes !== shardBytes(header)) return undefined;
    const { repairId } = parsed;
    return {
      claim: {
        format: 'penstock-erasure',
        version: 1,
        key,
        bytes: header.objectBytes,
        sha256: digest.sha256,
        crc32c: crc32cText(digest.crc32c),
        writeId: header.writeId,
        dataShards: DATA_SHARDS,
        parityShards: PARITY_SHARDS,
        cellBytes: header.cellBytes,
        stripes: header.stripes,
        createdAt: new Date(header.createdAtMilliseconds).toISOString(),
      },
      entry: { index: header.index, rack: rack.id, ...(repairId === undefined ? {} : { repairId }) },
    };
  } catch (error) {
    survey.signal?.throwIfAborted();
    // A damaged or unreachable one is a shard less.
    if (error instanceof PenstockError) return undefined;
    throw error;
  }
}
