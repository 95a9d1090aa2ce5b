/** What a segment of a scrub does in each of its phases, from its place on, until its time is over. */
import { sweepAbandonedShards } from '../datapath/erasure/abandoned.ts';
import { type ScrubbedObject, scrubErasureObject, scrubErasureObjects } from '../datapath/erasure/scrub.ts';
import { asUnreadable } from '../datapath/erasure/unreadable.ts';
import type { Stores } from '../drivers/open-site.ts';
import { type ScrubProgress, unseenObjects, withLines, withObject, withObjectAgain, youngLine } from '../model/scrub.ts';
import type { Run } from './effect.ts';
import { racksOverview } from './erasure-overview.ts';
import { digestOfKey, givenUpDigests, takeBack } from './given-up.ts';
import { keepUnseen, MOST_UNSEEN, unseenOf } from './scrub-unseen.ts';

export interface Segment {
  readonly stores: Stores;
  readonly run: Run;
  readonly endsAt: number;
  readonly pace: (bytes: number) => Promise<void>;
  /** For repair. */
  readonly queue: (object: ScrubbedObject) => Promise<void>;
  progress(): ScrubProgress;
  /** One thing further: told with the next heartbeat. */
  step(next: ScrubProgress): void;
}

const HOUR_MS = 3_600_000;
const isTimeLeft = ({ endsAt }: Segment): boolean => Date.now() < endsAt;

/** At least one; those that are under way when the time is over are read to their end. */
export async function readObjects(segment: Segment): Promise<void> {
  const { stores, run, pace, queue, progress, step } = segment;
  const givenUp = await givenUpDigests(stores);
  const cut = { isShort: false };
  const mayBegin = (): boolean => {
    // Kept, for a clock may be set back, and what was not begun must not be passed over.
    cut.isShort ||= !isTimeLeft(segment);
    return !cut.isShort;
  };
  const request = { racks: stores.shardRacks, prefix: '', after: progress().after, signal: run.signal, pace, mayBegin };
  for await (const found of scrubErasureObjects(request)) {
    const { object, lines } = givenUp.has(digestOfKey(found.key)) ? await onceGivenUp(stores, found) : { object: found, lines: [] };
    if (object.problems.length > 0) await queue(object);
    if (object === found && unseenObjects(progress()) < MOST_UNSEEN) await keepIfUnseen(stores, progress().scrubId, object);
    step(withObject({ ...progress(), lines: withLines(progress().lines, lines) }, object));
  }
  if (cut.isShort) return;
  step({ ...withoutPlace(progress()), state: 'rereading' });
}

/** What was given up is no news, unless it can be read again: then it is an object like any other. */
async function onceGivenUp(stores: Stores, object: ScrubbedObject): Promise<{ object: ScrubbedObject; lines: string[] }> {
  if (!object.isReadable) return { object: { ...object, problems: [] }, lines: [] };
  await takeBack(stores, object.key);
  return { object, lines: [`${object.key}: it was given up, and can be read again`] };
}

async function keepIfUnseen(stores: Stores, scrubId: string, { key, margin, problems, unseenShards, unseenRacks }: ScrubbedObject): Promise<void> {
  if (unseenShards > 0) await keepUnseen(stores, { scrubId, key, margin, isDamaged: problems.length > 0, racks: [...unseenRacks] });
}

/** Once, and only where one of the racks that were silent answers by now. */
export async function readUnseenAgain(segment: Segment): Promise<void> {
  const { stores, run, pace, queue, progress, step } = segment;
  const request = { racks: stores.shardRacks, prefix: '', signal: run.signal, pace };
  let answering: ReadonlySet<string> | undefined;
  for await (const { object: then, forget } of unseenOf(stores, progress().scrubId)) {
    if (!isTimeLeft(segment)) return;
    answering ??= new Set((await racksOverview(stores)).filter(({ reachable }) => reachable).map(({ id }) => id));
    if (then.racks.length > 0 && !then.racks.some((rack) => answering?.has(rack))) {
      await forget();
      continue;
    }
    const now = await scrubErasureObject(request, then.key).catch((error: unknown) => asUnreadable(request, then.key, error));
    if (now && now.problems.length > 0) await queue(now);
    await forget();
    step(withObjectAgain(progress(), then, now));
  }
  step({ ...progress(), state: 'sweeping' });
}

export async function sweepShards(segment: Segment): Promise<void> {
  const { stores, run, progress, step } = segment;
  const { sweepAfterHours } = stores.site.policies;
  const olderThanMilliseconds = Date.now() - sweepAfterHours * HOUR_MS;
  while (progress().state === 'sweeping' && isTimeLeft(segment)) {
    const { after, shardsRemoved, unclaimedCount, lines } = progress();
    const page = await sweepAbandonedShards({ racks: stores.shardRacks, prefix: '', after, olderThanMilliseconds, signal: run.signal });
    step({
      ...withoutPlace(progress()),
      ...(page.next === undefined ? { state: 'complete' } : { after: page.next }),
      shardsRemoved: shardsRemoved + page.shardsRemoved,
      unclaimedCount: unclaimedCount + page.unclaimed.length + page.young.length,
      lines: withLines(lines, [
        ...page.unclaimed.map(({ key }) => `${key}: its shards are there, its manifests are not; \`penstock erasure repair start --claim\` makes them anew`),
        ...page.young.map((write) => youngLine(write, sweepAfterHours)),
        ...page.postponed.map((line) => `not swept: ${line}`),
      ]),
    });
  }
}

const withoutPlace = ({ after: _, ...progress }: ScrubProgress): ScrubProgress => progress;
