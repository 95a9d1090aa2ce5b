/** A segment: lines of canonical JSON, zstd-compressed. Each line is a leaf of the tree, hashed without its line feed; the first is the segment's header. */
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { type Leaf, LeafSchema, type SegmentHeader } from '../../model/audit.ts';
import { messageOf } from '../../model/errors.ts';
import { canonicalJson } from './canonical.ts';
import { type Hash, hashLeaf, type Tree, treeOf } from './merkle.ts';

/** A bomb stops here; a segment has a thousand lines and seldom a megabyte. */
const MAX_UNPACKED_BYTES = 64 * 2 ** 20;
const HASH_BYTES = 32;

export interface Segment {
  readonly lines: readonly string[];
  readonly header: SegmentHeader;
  readonly leaves: readonly Leaf[];
}

/** In one go: half a megabyte takes two milliseconds. */
export const packLines = (lines: readonly string[]): Buffer => zstdCompressSync(Buffer.from(lines.map((line) => `${line}\n`).join('')));

/** @throws where it is not zstd */
export const unpackBytes = (body: Buffer): Buffer => zstdDecompressSync(body, { maxOutputLength: MAX_UNPACKED_BYTES });

/** @throws where it is not zstd, or not UTF-8, or its last line has no end */
export function unpackLines(body: Buffer): string[] {
  const lines = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(unpackBytes(body)).split('\n');
  if (lines.pop() !== '' || lines.length === 0) throw new TypeError('its last line has no end');
  return lines;
}

/** @throws TypeError where it is none, or not in canonical form */
export function parseLeaf(line: string): Leaf {
  const parsed = LeafSchema.safeParse(jsonOf(line));
  if (!parsed.success) throw new TypeError(`it is no record of this format: ${parsed.error.issues[0]?.message ?? ''}`);
  if (canonicalJson(parsed.data) !== line) throw new TypeError('it is not in canonical form');
  return parsed.data;
}

function jsonOf(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch (error) {
    throw new TypeError('it is no JSON', { cause: error });
  }
}

/** @throws TypeError naming the line */
export function parseSegment(lines: readonly string[]): Segment {
  const leaves = lines.map((line, index) => {
    try {
      return parseLeaf(line);
    } catch (error) {
      throw new TypeError(`line ${index + 1}: ${messageOf(error)}`, { cause: error });
    }
  });
  return { lines, header: headerOf(lines), leaves };
}

/** @throws TypeError where the first line is no header */
export function headerOf([line = '']: readonly string[]): SegmentHeader {
  const header = parseLeaf(line);
  if (header.kind === 'segment') return header;
  throw new TypeError('line 1: it is no header of a segment');
}

export const hashLines = (lines: readonly string[]): Hash[] => lines.map((line) => hashLeaf(line));

/** The tree before the segment, as its header states it. @throws TypeError where that is none */
export const treeBefore = ({ firstLeaf, frontier }: SegmentHeader): Tree =>
  treeOf(
    firstLeaf,
    frontier.map((hash) => Buffer.from(hash, 'base64')),
  );

export const packHashes = (hashes: readonly Hash[]): Buffer => Buffer.concat(hashes);

/** @throws TypeError where the length is not that of whole hashes */
export function unpackHashes(body: Buffer): Hash[] {
  if (body.length % HASH_BYTES !== 0 || body.length === 0) throw new TypeError(`${body.length} bytes are no hashes`);
  return Array.from({ length: body.length / HASH_BYTES }, (_, index) => body.subarray(index * HASH_BYTES, (index + 1) * HASH_BYTES));
}
