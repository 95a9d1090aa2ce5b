/**
 * Reads an archive pack without its catalog: by its index, and where that is damaged by the headers of its members, one after the other. What is found wrong is told, never passed
 * over.
 */
import type { Readable } from 'node:stream';
import { isType } from '../../model/errors.ts';
import { createCrc32cMeter } from '../transfer/crc32c.ts';
import { END_BYTES, INDEX_NAME, type IndexedMember, indexed, MAX_INDEX_BYTES, parseIndex, parseTrailer, TRAILER_BYTES, unsound } from './archive-pack.ts';
import { type ByteSource, takeFrom } from './take-from.ts';
import { BLOCK_BYTES, padding, parseMember, paxBytesIn, type TarMember } from './tar.ts';

/** An object or file that can be read in parts. */
export interface PackBytes {
  readonly bytes: number;
  /** Exactly so many bytes, or a failure. */
  read(start: number, bytes: number): Promise<Readable>;
}

export interface OpenedPack {
  readonly members: readonly IndexedMember[];
  /** What is wrong with the pack, each a sentence; none where its index is sound. */
  readonly findings: readonly string[];
}

/** An index of up to some 5,000 members comes with the trailer. */
const FIRST_READ_BYTES = 2 ** 20;

/** By the index; where it is damaged, every member whose content is what its own header says. Memory: the index, or the list of members. */
export async function openPack(pack: PackBytes): Promise<OpenedPack> {
  try {
    return { members: await readIndex(pack), findings: [] };
  } catch (error) {
    if (!isType(error, 'CorruptSource')) throw error;
    const { members, findings } = await scanPack(await pack.read(0, pack.bytes));
    return { members, findings: [error.message, `${members.length} members were found by their own headers.`, ...findings] };
  }
}

/** @throws CorruptSource where trailer or index are not what they were */
export async function readIndex(pack: PackBytes): Promise<IndexedMember[]> {
  if (pack.bytes < END_BYTES + BLOCK_BYTES) throw unsound(`it has ${pack.bytes} bytes`);
  const tailBytes = Math.min(FIRST_READ_BYTES, pack.bytes);
  const tail = await takeAll(pack, pack.bytes - tailBytes, tailBytes);
  const trailer = parseTrailer(tail.subarray(tailBytes - END_BYTES, tailBytes - END_BYTES + TRAILER_BYTES), pack.bytes);
  const start = trailer.indexOffset - (pack.bytes - tailBytes);
  const index =
    start >= 0 ? tail.subarray(start, start + trailer.indexBytes) : await takeAll(pack, trailer.indexOffset, Math.min(trailer.indexBytes, MAX_INDEX_BYTES));
  return parseIndex(index, trailer);
}

/** One pass over the pack, block by block where a header is damaged. Memory: a chunk, and the list of members. */
export async function scanPack(content: Readable): Promise<OpenedPack> {
  const source = takeFrom(content, () => unsound('it ends within a member'));
  const members: IndexedMember[] = [];
  const findings: string[] = [];
  let position = 0;
  let lost: { readonly from: number; readonly isZero: boolean } | undefined;
  let isIndexSeen = false;
  const tellLost = (): void => {
    if (lost) findings.push(`bytes ${lost.from} to ${position - 1} belong to no member that can be told.`);
    lost = undefined;
  };
  try {
    while (!(await source.isAtEnd())) {
      const headerOffset = position;
      const block = await source.take(BLOCK_BYTES);
      const read = await readHeader(source, block, headerOffset);
      if (read.member) tellLost();
      position += read.bytes;
      if (!read.member) {
        lost = { from: lost?.from ?? headerOffset, isZero: (lost?.isZero ?? true) && block.every((byte) => byte === 0) };
        continue;
      }
      const { member } = read;
      const isSound = await isContentSound(source, member);
      position += member.bytes + padding(member.bytes);
      if (member.name === INDEX_NAME) isIndexSeen = true;
      else if (isSound) members.push(indexed(member, read.bytes));
      else findings.push(`${JSON.stringify(member.name)} is not what its header says, and is left out.`);
    }
  } catch (error) {
    if (!isType(error, 'CorruptSource')) throw error;
    findings.push(error.message);
  } finally {
    content.destroy();
  }
  // Zeros behind the index end the archive; any others were a header or content once.
  if (!lost?.isZero || !isIndexSeen) tellLost();
  return { members, findings };
}

/** @returns how many bytes were taken, the first block included, and the member whose content follows, if one does */
async function readHeader(source: ByteSource, block: Buffer, headerOffset: number): Promise<{ readonly bytes: number; readonly member?: TarMember }> {
  const paxBytes = paxBytesIn(block);
  if (paxBytes === undefined) return { bytes: BLOCK_BYTES };
  const paxBlocks = paxBytes + padding(paxBytes);
  const rest = await source.upTo(paxBlocks + BLOCK_BYTES);
  const member = parseMember(rest.subarray(0, paxBytes), rest.subarray(paxBlocks), headerOffset);
  if (member) return { bytes: BLOCK_BYTES + rest.length, member };
  // It may be content that looks like a header, and a real one may stand in what follows.
  source.giveBack(rest);
  return { bytes: BLOCK_BYTES };
}

async function isContentSound(source: ByteSource, { bytes, crc32c }: TarMember): Promise<boolean> {
  const meter = createCrc32cMeter();
  while (meter.bytes() < bytes) {
    const piece = await source.some(bytes - meter.bytes());
    if (!piece) throw unsound('it ends within a member');
    meter.add(piece);
  }
  await source.take(padding(bytes));
  return meter.crc32c() === crc32c;
}

async function takeAll(pack: PackBytes, start: number, bytes: number): Promise<Buffer> {
  return await takeFrom(await pack.read(start, bytes), () => unsound('it ends early')).take(bytes);
}
