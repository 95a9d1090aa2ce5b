/** An archive pack as a stream: members read several at a time, each behind its header, then the index. */
import { Readable } from 'node:stream';
import { endOf, headerOf, type MemberFacts, type PackLayout, type PlacedMember, type PlannedMember } from './archive-pack.ts';
import { BATCH_BYTES, readBatches } from './read-batches.ts';
import { padding } from './tar.ts';

/** @param read fills `into`, which is as long as the member was when the pack was planned. @param onMember told of each as it goes into the pack */
export function packContent<Member extends PlannedMember>(
  layout: PackLayout<Member>,
  read: (member: PlacedMember<Member>, into: Buffer) => Promise<MemberFacts>,
  onMember: (member: PlacedMember<Member>, facts: MemberFacts) => void,
): Readable {
  return Readable.from(blocks(layout, read, onMember), { objectMode: false, highWaterMark: BATCH_BYTES });
}

async function* blocks<Member extends PlannedMember>(
  layout: PackLayout<Member>,
  read: (member: PlacedMember<Member>, into: Buffer) => Promise<MemberFacts>,
  onMember: (member: PlacedMember<Member>, facts: MemberFacts) => void,
): AsyncGenerator<Buffer, void> {
  const known = new Map<PlacedMember<Member>, MemberFacts>();
  for await (const { members } of readBatches(layout.members, read)) {
    for (const { member, content, facts } of members) {
      known.set(member, facts);
      yield headerOf(member, member.headerOffset, facts);
      if (content.length > 0) yield content;
      const filling = padding(content.length);
      if (filling > 0) yield Buffer.alloc(filling);
      onMember(member, facts);
    }
  }
  yield endOf(layout, (member) => known.get(member) ?? notRead(member));
}

function notRead({ name }: PlannedMember): never {
  throw new TypeError(`${name} is in the pack's index and was not read`);
}
