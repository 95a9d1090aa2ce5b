/** Reads a pack: one member with two range reads, or all of them as the pack streams by. Memory: the index, and one member. */
import type { Readable } from 'node:stream';
import { PenstockError } from '../../model/errors.ts';
import { crc32c } from '../native/crc32c.ts';
import { type ByteSource, takeFrom } from '../packs/take-from.ts';
import { checkContent } from '../transfer/crc32c.ts';
import { crc32cText } from './format.ts';
import { MAX_PACK_BYTES, type PackMember, type PlacedMember, parseIndex, parseTrailer, TRAILER_BYTES } from './pack-format.ts';
import type { Pack } from './pack-writer.ts';

/** One cell: an index of up to some 10,000 members comes with the trailer. A longer one costs a third read. */
const FIRST_READ_BYTES = 1024 * 1024;

/** An object that can be read in parts. */
export interface PackBytes {
  /** Its whole length. */
  readonly bytes: number;
  /** Exactly so many bytes, or a failure. */
  read(start: number, bytes: number): Promise<Readable>;
}

export interface OpenedPack {
  /** In the order of their names' bytes. */
  readonly members: readonly PlacedMember[];
  /** NotFound where there is no such member. The content ends well only where it is what the index says. */
  read(name: string): Promise<Readable>;
}

/** CorruptSource where it is no sound pack. */
export async function openPack(pack: PackBytes): Promise<OpenedPack> {
  const members = await readIndex(pack);
  const byName = new Map(members.map((member) => [member.name, member]));
  return {
    members,
    async read(name) {
      const member = byName.get(name);
      if (!member) throw new PenstockError('NotFound', `the pack has no member ${JSON.stringify(name.slice(0, 120))}.`, { nextStep: 'List its members.' });
      const expected = { subject: name, store: 'erasure set', bytes: member.bytes, crc32c: crc32cText(member.crc32c) };
      return checkContent(await pack.read(member.offset, member.bytes), expected).content;
    },
  };
}

async function readIndex(pack: PackBytes): Promise<PlacedMember[]> {
  if (pack.bytes < TRAILER_BYTES || pack.bytes > MAX_PACK_BYTES) throw corrupt(`it has ${pack.bytes} bytes, ${TRAILER_BYTES} to ${MAX_PACK_BYTES} are allowed`);
  const tail = await readTail(pack, Math.min(FIRST_READ_BYTES, pack.bytes));
  const trailer = parseTrailer(tail.subarray(tail.length - TRAILER_BYTES), pack.bytes);
  const endBytes = trailer.indexBytes + TRAILER_BYTES;
  const end = endBytes <= tail.length ? tail.subarray(tail.length - endBytes) : await readTail(pack, endBytes);
  return parseIndex(end.subarray(0, trailer.indexBytes), trailer);
}

const readTail = async (pack: PackBytes, bytes: number): Promise<Buffer> => collect(await pack.read(pack.bytes - bytes, bytes), bytes);

/** Each member as a whole, from the content of the pack that is expected. CorruptSource where it is another. */
export async function* splitPack<Member extends PackMember>(
  content: Readable,
  { members, end }: Pack<Member>,
): AsyncGenerator<{ readonly member: Member; readonly content: Buffer }> {
  const source = takeFrom(content, endsEarly);
  try {
    for (const member of members) {
      const bytes = await source.take(member.bytes);
      if (crc32c(bytes) !== member.crc32c) throw corrupt(`${JSON.stringify(member.name)} has CRC32C ${crc32cText(crc32c(bytes))} in it`);
      yield { member, content: bytes };
    }
    if (!end.equals(await source.take(end.length))) throw corrupt('its index is not that of its members');
    await demandEnd(source);
  } finally {
    content.destroy();
  }
}

async function collect(content: Readable, bytes: number): Promise<Buffer> {
  const source = takeFrom(content, endsEarly);
  const collected = await source.take(bytes);
  await demandEnd(source);
  return collected;
}

/** Whoever reads to the end learns whether the whole was sound. */
async function demandEnd(source: ByteSource): Promise<void> {
  if (!(await source.isAtEnd())) throw corrupt('it goes on behind its trailer');
}

const endsEarly = (): PenstockError => corrupt('it ends early');
const corrupt = (why: string): PenstockError => new PenstockError('CorruptSource', `the pack is not sound: ${why}.`);
