/**
 * The format of a manifest, version 1: `{prefix}index.json` lists the pages in order; page n lies at
 * `{prefix}{n, 6 digits}-{first 16 hex of its SHA-256}.jsonl.zst`. A page's SHA-256 is over its unpacked lines; the manifest's digest is the
 * SHA-256 over the pages' (as raw bytes, in order), so that equal lists have equal digests whatever packed them. While a manifest comes to be page by page,
 * page n lies at `{prefix}open-{n, 6 digits}.jsonl.zst` and there is no index.
 */
import { createHash } from 'node:crypto';
import * as z from 'zod';
import type { ManifestEntry } from '../../model/manifest.ts';

const ManifestEntrySchema = z.strictObject({
  path: z.string().min(1),
  bytes: z.int().nonnegative(),
  modifiedAt: z.iso.datetime({ offset: true }),
  etag: z.string(),
  crc32c: z.string().optional(),
});

const PageFactsSchema = z.strictObject({
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  files: z.int().positive(),
  bytes: z.int().nonnegative(),
});
const ManifestIndexSchema = z.strictObject({ version: z.literal(1), pages: z.array(PageFactsSchema) });

export type PageFacts = z.output<typeof PageFactsSchema>;
export type ManifestIndex = z.output<typeof ManifestIndexSchema>;

export const indexKey = (prefix: string): string => `${prefix}index.json`;
export const pageKey = (prefix: string, page: number, sha256: string): string => `${prefix}${String(page).padStart(6, '0')}-${sha256.slice(0, 16)}.jsonl.zst`;

/** A page of a manifest that is still being written page by page. */
export const openPageKey = (prefix: string, page: number): string => `${prefix}open-${String(page).padStart(6, '0')}.jsonl.zst`;

export function digestOf(index: ManifestIndex): string {
  const hash = createHash('sha256');
  for (const page of index.pages) hash.update(Buffer.from(page.sha256, 'hex'));
  return hash.digest('hex');
}

/** Fields in a fixed order, absent ones left out: equal entries are equal bytes. */
export function toLines(entries: readonly ManifestEntry[]): Buffer {
  const lines = entries.map(({ path, bytes, modifiedAt, etag, crc32c }) => `${JSON.stringify({ path, bytes, modifiedAt, etag, crc32c })}\n`);
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
      const { crc32c, ...entry } = parsed.data;
      return crc32c === undefined ? entry : { ...entry, crc32c };
    });
}

/** Undefined where it is no index. */
export function parseIndex(bytes: Buffer): ManifestIndex | undefined {
  return ManifestIndexSchema.safeParse(parseJson(bytes.toString('utf8'))).data;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
