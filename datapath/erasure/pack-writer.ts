/** A pack's bytes as a stream: its members read several at a time, each held against its length and checksum, then index and trailer. */
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { PenstockError } from '../../model/errors.ts';
import { crc32c } from '../native/crc32c.ts';
import { inLanes } from '../transfer/lanes.ts';
import { crc32cText } from './format.ts';
import { encodePackEnd, type PackMember } from './pack-format.ts';

/** Two batches are in memory, one on its way out and one being read; a longer member is one by itself. */
const BATCH_BYTES = 4 * 1024 * 1024;
const READS_AT_ONCE = 8;

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
  let coming: Promise<Buffer> | undefined;
  for (const batch of batchesOf(members)) {
    const block = await coming;
    coming = readBatch(batch, source);
    // Its failure is reported by the await, if it comes to that.
    coming.catch(() => undefined);
    if (block) yield block;
  }
  const last = await coming;
  if (last) yield last;
  yield end;
}

function* batchesOf<Member extends PackMember>(members: readonly Member[]): Generator<Member[]> {
  let batch: Member[] = [];
  let batchBytes = 0;
  for (const member of members) {
    if (batch.length > 0 && batchBytes + member.bytes > BATCH_BYTES) {
      yield batch;
      batch = [];
      batchBytes = 0;
    }
    batch.push(member);
    batchBytes += member.bytes;
  }
  if (batch.length > 0) yield batch;
}

async function readBatch<Member extends PackMember>(batch: readonly Member[], source: MemberSource<Member>): Promise<Buffer> {
  const block = Buffer.allocUnsafeSlow(batch.reduce((sum, { bytes }) => sum + bytes, 0));
  let start = 0;
  const places = batch.map((member) => {
    const into = block.subarray(start, start + member.bytes);
    start += member.bytes;
    return { member, into };
  });
  await inLanes(places, READS_AT_ONCE, async ({ member, into }) => {
    await source.read(member, into);
    const found = crc32c(into);
    if (found === member.crc32c) return;
    const message = `${member.name} has CRC32C ${crc32cText(found)} where ${crc32cText(member.crc32c)} was expected.`;
    throw new PenstockError('ChecksumMismatch', message, { store: source.store });
  });
  return block;
}
