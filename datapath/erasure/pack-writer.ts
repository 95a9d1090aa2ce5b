/** A pack's bytes as a stream: its members read several at a time, each held against its length and checksum, then index and trailer. */
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { PenstockError } from '../../model/errors.ts';
import { crc32c } from '../native/crc32c.ts';
import { BATCH_BYTES, readBatches } from '../packs/read-batches.ts';
import { crc32cText } from './format.ts';
import { encodePackEnd, type PackMember } from './pack-format.ts';

export interface Pack<Member extends PackMember = PackMember> {
  readonly members: readonly Member[];
  /** Index and trailer. */
  readonly end: Buffer;
  readonly bytes: number;
  /** Hex SHA-256 of `end`, which names every member's length and checksum: packs of one id hold the same. */
  readonly id: string;
}

/** @param members in the order of their names' bytes */
export function packOf<Member extends PackMember>(members: readonly Member[]): Pack<Member> {
  const end = encodePackEnd(members);
  const bytes = members.reduce((sum, member) => sum + member.bytes, end.length);
  return { members, end, bytes, id: createHash('sha256').update(end).digest('hex') };
}

/** Where members come from. */
export interface MemberSource<Member> {
  /** The store's name in the site file, for errors. */
  readonly store: string;
  /** Fills `into`, which is as long as the member was when the pack was planned. */
  read(member: Member, into: Buffer): Promise<void>;
}

/** Fails with ChecksumMismatch where a member is no longer what the index says, before the pack has ended. */
export function packContent<Member extends PackMember>(pack: Pack<Member>, source: MemberSource<Member>): Readable {
  return Readable.from(packBlocks(pack, source), { objectMode: false, highWaterMark: BATCH_BYTES });
}

async function* packBlocks<Member extends PackMember>({ members, end }: Pack<Member>, source: MemberSource<Member>): AsyncGenerator<Buffer> {
  const readMember = async (member: Member, into: Buffer): Promise<true> => {
    await source.read(member, into);
    const found = crc32c(into);
    if (found === member.crc32c) return true;
    const message = `${member.name} has CRC32C ${crc32cText(found)} where ${crc32cText(member.crc32c)} was expected.`;
    throw new PenstockError('ChecksumMismatch', message, { store: source.store });
  };
  for await (const { block } of readBatches(members, readMember)) yield block;
  yield end;
}
