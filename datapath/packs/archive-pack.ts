/** The bytes of an archive pack (docs/formats/archive-pack.md): where each member lies, known before any is read; its index, and what of it can be believed. */
import * as z from 'zod';
import { PenstockError } from '../../model/errors.ts';
import { parseJson } from '../../model/json.ts';
import { crc32cOf } from '../transfer/crc32c.ts';
import { BLOCK_BYTES, encodeHeader, NO_CRC32C, padding, TAR_END, type TarMember } from './tar.ts';

/** Read and parsed as a whole: 10,000 members with names of 1,024 bytes are 12 MB, 22 where JSON doubles each byte. */
export const MAX_INDEX_BYTES = 32 * 2 ** 20;
export const INDEX_NAME = '.penstock-index.jsonl';
/** What stands behind the index: its trailer is read first, at a place that follows from the pack's length. */
export const TRAILER_BYTES = BLOCK_BYTES;
export const END_BYTES = TRAILER_BYTES + TAR_END.length;
const DEFAULT_MODE = 0o644;

/** A file that is to lie in a pack. */
export interface PlannedMember {
  readonly name: string;
  readonly bytes: number;
  /** ISO instant. */
  readonly modifiedAt: string;
}
export type PlacedMember<Member extends PlannedMember> = Member & {
  readonly headerOffset: number;
  /** Of its content. */
  readonly offset: number;
};
export interface PackLayout<Member extends PlannedMember> {
  readonly members: readonly PlacedMember<Member>[];
  /** Where the index's own header stands. */
  readonly indexHeaderOffset: number;
  readonly packBytes: number;
}
/** What is known of a member once it has been read. */
export interface MemberFacts {
  readonly crc32c: string;
  readonly mode?: number | undefined;
}

/** @param members in the order of their names' bytes */
export function layOut<Member extends PlannedMember>(members: readonly Member[]): PackLayout<Member> {
  let headerOffset = 0;
  const placed = members.map((member) => {
    const offset = headerOffset + headerOf(member, headerOffset).length;
    const place = { ...member, headerOffset, offset };
    headerOffset = offset + member.bytes + padding(member.bytes);
    return place;
  });
  const index = indexContent(placed.map((member) => lineOf(member, { crc32c: NO_CRC32C })));
  const header = indexHeader(index, headerOffset);
  return { members: placed, indexHeaderOffset: headerOffset, packBytes: headerOffset + header.length + index.length + END_BYTES };
}

/** For planning: beside the content, rounded up. */
export const overheadOf = (member: PlannedMember): number =>
  headerOf(member, Number.MAX_SAFE_INTEGER).length + BLOCK_BYTES + lineOf({ ...member, offset: Number.MAX_SAFE_INTEGER }, { crc32c: NO_CRC32C }).length;

/** Header blocks of a member; of the same length whatever its facts. */
export const headerOf = (member: PlannedMember, headerOffset: number, { crc32c, mode = DEFAULT_MODE }: MemberFacts = { crc32c: NO_CRC32C }): Buffer =>
  encodeHeader({ ...member, crc32c, mode, headerOffset });

/** Everything behind the last member. */
export function endOf<Member extends PlannedMember>(layout: PackLayout<Member>, factsOf: (member: PlacedMember<Member>) => MemberFacts): Buffer {
  const index = indexContent(layout.members.map((member) => lineOf(member, factsOf(member))));
  const trailer = JSON.stringify({
    penstockPack: 1,
    indexOffset: layout.packBytes - END_BYTES - index.length,
    indexBytes: index.length,
    indexCrc32c: crc32cOf(index),
    members: layout.members.length,
    packBytes: layout.packBytes,
  } satisfies PackTrailer);
  const content = Buffer.concat([index, Buffer.from(`${trailer.padEnd(TRAILER_BYTES - 1)}\n`)]);
  return Buffer.concat([indexHeader(content, layout.indexHeaderOffset), content, TAR_END]);
}

const LineSchema = z.strictObject({
  path: z.string().min(1),
  offset: z.int().nonnegative(),
  bytes: z.int().nonnegative(),
  crc32c: z.string(),
  modifiedAt: z.iso.datetime({ offset: true }),
  mode: z.string().regex(/^[0-7]{4}$/),
});
const TrailerSchema = z.strictObject({
  penstockPack: z.literal(1),
  indexOffset: z.int().nonnegative(),
  indexBytes: z.int().nonnegative(),
  indexCrc32c: z.string(),
  members: z.int().positive(),
  packBytes: z.int().positive(),
});
export type PackTrailer = z.output<typeof TrailerSchema>;

export interface IndexedMember {
  readonly name: string;
  /** Of its content. */
  readonly offset: number;
  readonly bytes: number;
  readonly crc32c: string;
  readonly modifiedAt: string;
  readonly mode: number;
}

/** @throws CorruptSource where it is not the trailer of a pack of this length */
export function parseTrailer(bytes: Buffer, packBytes: number): PackTrailer {
  const { data } = TrailerSchema.safeParse(parseJson(bytes.toString('utf8')));
  if (!data) throw unsound('its trailer cannot be read');
  if (data.packBytes !== packBytes) throw unsound(`it has ${packBytes} bytes, its trailer says ${data.packBytes}`);
  if (data.indexBytes > MAX_INDEX_BYTES) throw unsound(`its index has ${data.indexBytes} bytes, at most ${MAX_INDEX_BYTES} are allowed`);
  if (data.indexOffset + data.indexBytes + END_BYTES !== packBytes) throw unsound('its index does not end where its trailer begins');
  return data;
}

/** @throws CorruptSource where the index is not the trailer's */
export function parseIndex(index: Buffer, trailer: PackTrailer): IndexedMember[] {
  const found = crc32cOf(index);
  if (found !== trailer.indexCrc32c) throw unsound(`its index has CRC32C ${found}, its trailer says ${trailer.indexCrc32c}`);
  const lines = index.toString('utf8').split('\n').slice(0, -1);
  if (lines.length !== trailer.members) throw unsound(`its index has ${lines.length} members, its trailer says ${trailer.members}`);
  let end = 0;
  return lines.map((line, number) => {
    const { data } = LineSchema.safeParse(parseJson(line));
    if (!data) throw unsound(`line ${number + 1} of its index is no member`);
    if (data.offset < end || data.offset + data.bytes > trailer.indexOffset) throw unsound(`its index has ${JSON.stringify(data.path)} lie in another member`);
    end = data.offset + data.bytes;
    const { path: name, mode, ...rest } = data;
    return { name, ...rest, mode: Number.parseInt(mode, 8) };
  });
}

/** A member as its header tells it. */
export const indexed = ({ headerOffset, ...member }: TarMember, headerBytes: number): IndexedMember => ({ ...member, offset: headerOffset + headerBytes });

export const unsound = (why: string): PenstockError =>
  new PenstockError('CorruptSource', `the archive pack is not sound: ${why}.`, { nextStep: 'Its members can be found by their own headers.' });

function lineOf(member: PlannedMember & { readonly offset: number }, { crc32c, mode = DEFAULT_MODE }: MemberFacts): string {
  const { name: path, offset, bytes, modifiedAt } = member;
  return JSON.stringify({ path, offset, bytes, crc32c, modifiedAt, mode: mode.toString(8).padStart(4, '0') } satisfies z.input<typeof LineSchema>);
}

/** Spaces before the last end of line fill its last block. */
function indexContent(lines: readonly string[]): Buffer {
  const text = lines.join('\n');
  return Buffer.from(`${text}${' '.repeat(padding(Buffer.byteLength(text) + 1))}\n`);
}

/** Of the index and its trailer, which for tar are one file. */
function indexHeader(content: Buffer, headerOffset: number): Buffer {
  return headerOf({ name: INDEX_NAME, bytes: content.length, modifiedAt: '1970-01-01T00:00:00.000Z' }, headerOffset, { crc32c: crc32cOf(content) });
}
