/** Members of a pack, read several at a time into one block while the block before is on its way out. */
import { inLanes } from '../transfer/lanes.ts';

/** Two batches are in memory; a longer member is one by itself. */
export const BATCH_BYTES = 4 * 1024 * 1024;
const READS_AT_ONCE = 8;

export interface Batch<Member, Facts> {
  /** The members' contents end to end. */
  readonly block: Buffer;
  readonly members: readonly { readonly member: Member; readonly content: Buffer; readonly facts: Facts }[];
}

/** @param read fills the buffer, which is as long as the member */
export async function* readBatches<Member extends { readonly bytes: number }, Facts>(
  members: readonly Member[],
  read: (member: Member, into: Buffer) => Promise<Facts>,
): AsyncGenerator<Batch<Member, Facts>, void> {
  let coming: Promise<Batch<Member, Facts>> | undefined;
  for (const group of groupsOf(members)) {
    const batch = await coming;
    coming = readBatch(group, read);
    // Its failure is reported by the await, if it comes to that.
    coming.catch(() => undefined);
    if (batch) yield batch;
  }
  const last = await coming;
  if (last) yield last;
}

function* groupsOf<Member extends { readonly bytes: number }>(members: readonly Member[]): Generator<Member[]> {
  let group: Member[] = [];
  let groupBytes = 0;
  for (const member of members) {
    if (group.length > 0 && groupBytes + member.bytes > BATCH_BYTES) {
      yield group;
      group = [];
      groupBytes = 0;
    }
    group.push(member);
    groupBytes += member.bytes;
  }
  if (group.length > 0) yield group;
}

async function readBatch<Member extends { readonly bytes: number }, Facts>(
  group: readonly Member[],
  read: (member: Member, into: Buffer) => Promise<Facts>,
): Promise<Batch<Member, Facts>> {
  const block = Buffer.allocUnsafeSlow(group.reduce((sum, { bytes }) => sum + bytes, 0));
  let start = 0;
  const places = group.map((member) => {
    const content = block.subarray(start, start + member.bytes);
    start += member.bytes;
    return { member, content };
  });
  const done: Batch<Member, Facts>['members'][number][] = [];
  await inLanes(places.entries(), READS_AT_ONCE, async ([index, place]) => {
    done[index] = { ...place, facts: await read(place.member, place.content) };
  });
  return { block, members: done };
}
