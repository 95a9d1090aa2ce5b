/** An erasure object's manifest: its schema, its two lines of JSON, and the few things that are derived from it. */

import * as z from 'zod';
import { PenstockError } from '../../model/errors.ts';
import { formatIssues, parseInput } from '../../model/issues.ts';
import { parseJson } from '../../model/json.ts';
import { crc32c } from '../native/crc32c.ts';
import { crc32cText } from './format.ts';
import {
  checkKey,
  DATA_SHARDS,
  type Layout,
  laterManifestKey,
  MAX_CELL_BYTES,
  MIN_CELL_BYTES,
  manifestKey,
  PARITY_SHARDS,
  shardKey,
  stripesOf,
  TOTAL_SHARDS,
} from './layout.ts';

const IdSchema = z.string().regex(/^[0-9a-f]{32}$/, '32 hex digits');

export const ErasureManifestSchema = z
  .strictObject({
    format: z.literal('penstock-erasure'),
    version: z.literal(1),
    key: z.string(),
    bytes: z.int().nonnegative(),
    sha256: z.string().regex(/^[0-9a-f]{64}$/, '64 hex digits'),
    crc32c: z.string().regex(/^[A-Za-z0-9+/]{6}==$/, 'base64 of 4 bytes'),
    writeId: IdSchema,
    dataShards: z.literal(DATA_SHARDS),
    parityShards: z.literal(PARITY_SHARDS),
    cellBytes: z.int().min(MIN_CELL_BYTES).max(MAX_CELL_BYTES).multipleOf(MIN_CELL_BYTES),
    stripes: z.int().nonnegative(),
    createdAt: z.iso.datetime(),
    /** Both absent in the first generation, which the writer made. */
    generation: z.int().min(2).max(999_999_999).optional(),
    repairId: IdSchema.optional(),
    shards: z
      .array(
        z.strictObject({
          index: z
            .int()
            .min(0)
            .max(TOTAL_SHARDS - 1),
          rack: z.string().min(1).max(63),
          /** Of the repair that rebuilt this shard: a part of its name. */
          repairId: IdSchema.optional(),
        }),
      )
      .min(DATA_SHARDS)
      .max(TOTAL_SHARDS)
      .refine((shards) => new Set(shards.map(({ index }) => index)).size === shards.length, 'each shard once')
      .refine((shards) => new Set(shards.map(({ rack }) => rack)).size === shards.length, 'one shard per rack'),
  })
  .refine(({ generation, repairId }) => (generation === undefined) === (repairId === undefined), 'generation and repairId together')
  .refine(({ bytes, cellBytes, stripes }) => stripes === stripesOf(bytes, cellBytes), 'stripes as many as the length needs');

export type ErasureManifest = z.output<typeof ErasureManifestSchema>;

const ChecksumLineSchema = z.strictObject({ crc32c: z.string() });

export function encodeManifest(manifest: ErasureManifest): Buffer {
  const line = Buffer.from(JSON.stringify(manifest));
  return Buffer.concat([line, Buffer.from(`\n${JSON.stringify({ crc32c: crc32cText(crc32c(line)) })}\n`)]);
}

/** CorruptSource where it is damaged, or is not what its name says. */
export function parseManifest(body: Buffer, name: string): ErasureManifest {
  const refuse = (why: string, cause?: unknown): never => {
    throw new PenstockError('CorruptSource', `the manifest ${JSON.stringify(name)} is not sound: ${why}.`, { cause });
  };
  const [line = '', checksum = '', rest, ...more] = body.toString('utf8').split('\n');
  if (rest !== '' || more.length > 0) refuse('it does not have two lines');
  const claimed = ChecksumLineSchema.safeParse(parseJson(checksum));
  if (claimed.data?.crc32c !== crc32cText(crc32c(Buffer.from(line)))) refuse('its CRC32C differs');
  const parsed = parseInput(ErasureManifestSchema, parseJson(line));
  if (!parsed.ok) return refuse(formatIssues(parsed.issues));
  checkKey(parsed.value.key);
  if (manifestNameOf(parsed.value) !== name) {
    refuse(`it is generation ${generationOf(parsed.value)} of ${JSON.stringify(parsed.value.key)}, write ${parsed.value.writeId}`);
  }
  return parsed.value;
}

export function layoutOf(manifest: ErasureManifest): Layout {
  return { objectBytes: manifest.bytes, cellBytes: manifest.cellBytes, stripes: manifest.stripes };
}

export const generationOf = ({ generation }: ErasureManifest): number => generation ?? 1;

/** The manifest's own name on an elector. */
export const manifestNameOf = ({ key, writeId, generation }: ErasureManifest): string =>
  generation === undefined ? manifestKey(key) : laterManifestKey(key, writeId, generation);

/** What tells manifests of one name apart: whose attempt each is. */
export const attemptOf = ({ repairId, writeId }: ErasureManifest): string => repairId ?? writeId;

export type PlacedShardEntry = ErasureManifest['shards'][number];

/** The shard's name on its rack. */
export const shardNameOf = ({ key, writeId }: ErasureManifest, { index, repairId }: PlacedShardEntry): string => shardKey(key, writeId, index, repairId);

/** Equal content, whoever wrote it. */
export function sameContent(a: ErasureManifest, b: ErasureManifest): boolean {
  return a.bytes === b.bytes && a.sha256 === b.sha256;
}

/** Indices that no rack holds. */
export function missingShards(manifest: ErasureManifest): number[] {
  const placed = new Set(manifest.shards.map(({ index }) => index));
  return Array.from({ length: TOTAL_SHARDS }, (_, index) => index).filter((index) => !placed.has(index));
}
