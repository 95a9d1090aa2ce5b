/**
 * The format of a manifest (docs/formats/manifest.md): `{prefix}index.json` lists the pages in order, each by its name, SHA-256 and counts; a page lies at
 * `{prefix}{name}.jsonl.zst`. A page's SHA-256 is over its unpacked lines; the manifest's digest is the SHA-256 over the pages' (as raw bytes, in
 * order), so that equal lists cut alike have equal digests whatever packed them. Version 1, still read, has no names: page n was
 * `{n, 6 digits}-{first 16 hex of its SHA-256}`.
 */
import { createHash } from 'node:crypto';
import * as z from 'zod';
import { parseJson } from '../../model/json.ts';
import type { ManifestEntry } from '../../model/manifest.ts';
import { planUnits, type Unit } from '../../model/transfer-plan.ts';
import { FOREIGN_ALGORITHMS } from './foreign-checksum.ts';

export const ManifestEntrySchema = z.strictObject({
  path: z.string().min(1),
  bytes: z.int().nonnegative(),
  modifiedAt: z.iso.datetime({ offset: true }),
  etag: z.string(),
  crc32c: z.string().optional(),
  foreign: z.strictObject({ algorithm: z.enum(FOREIGN_ALGORITHMS), value: z.string() }).optional(),
  linkTarget: z.string().optional(),
  packed: z
    .strictObject({ key: z.string().min(1), offset: z.int().nonnegative(), bytes: z.int().positive(), mode: z.int().nonnegative().exactOptional() })
    .optional(),
});

const PageFactsSchema = z.strictObject({
  name: z
    .string()
    .regex(/^[\w-]+(?:\/[\w-]+)*$/)
    .optional(),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  files: z.int().positive(),
  bytes: z.int().nonnegative(),
  large: z.array(z.strictObject({ index: z.int().nonnegative(), bytes: z.int().positive() })).optional(),
});
const ManifestIndexSchema = z.strictObject({
  version: z.literal([1, 2]),
  /** From which size on entries are listed as `large`. */
  largeBytes: z.int().positive().optional(),
  pages: z.array(PageFactsSchema),
});

export type PageFacts = z.output<typeof PageFactsSchema>;
export type ManifestIndex = z.output<typeof ManifestIndexSchema>;

export const indexKey = (prefix: string): string => `${prefix}index.json`;
export const pageKey = (prefix: string, name: string): string => `${prefix}${name}.jsonl.zst`;

export const six = (number: number): string => String(number).padStart(6, '0');

/** The units that the move of such a list is cut into; the same for whoever asks. */
export function unitsOf({ pages, largeBytes }: ManifestIndex): Unit[] {
  const planned = pages.map(({ files, bytes, large }) => ({ files, bytes, ...(large ? { large } : {}) }));
  return planUnits({ pages: planned, ...(largeBytes === undefined ? {} : { largeBytes }) });
}

/** Where the page of an index lies. */
export function keyOfPage(prefix: string, number: number, { name, sha256 }: PageFacts): string {
  return pageKey(prefix, name ?? `${six(number)}-${sha256.slice(0, 16)}`);
}

export function digestOf(index: ManifestIndex): string {
  const hash = createHash('sha256');
  for (const page of index.pages) hash.update(Buffer.from(page.sha256, 'hex'));
  return hash.digest('hex');
}

/** Fields in a fixed order, absent ones left out: equal entries are equal bytes. */
export function toLines(entries: readonly ManifestEntry[]): Buffer {
  const lines = entries.map(
    ({ path, bytes, modifiedAt, etag, crc32c, foreign, linkTarget, packed }) =>
      `${JSON.stringify({ path, bytes, modifiedAt, etag, crc32c, foreign, linkTarget, packed })}\n`,
  );
  return Buffer.from(lines.join(''));
}

/** @throws what `fault` makes of the reason */
export function parseLines(lines: Buffer, fault: (reason: string) => Error): ManifestEntry[] {
  return lines
    .toString('utf8')
    .split('\n')
    .slice(0, -1)
    .map((line, number) => {
      const parsed = ManifestEntrySchema.safeParse(parseJson(line));
      if (!parsed.success) throw fault(`line ${number + 1} is no manifest entry`);
      return withoutUndefined(parsed.data);
    });
}

export function withoutUndefined({ crc32c, foreign, linkTarget, packed, ...entry }: z.output<typeof ManifestEntrySchema>): ManifestEntry {
  return {
    ...entry,
    ...(crc32c === undefined ? {} : { crc32c }),
    ...(foreign ? { foreign } : {}),
    ...(linkTarget === undefined ? {} : { linkTarget }),
    ...(packed ? { packed } : {}),
  };
}

/** Undefined where it is no index. */
export function parseIndex(bytes: Buffer): ManifestIndex | undefined {
  return ManifestIndexSchema.safeParse(parseJson(bytes.toString('utf8'))).data;
}
