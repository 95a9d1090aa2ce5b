/** Reads the erasure set back, a segment of time an activity; what it finds is on record before its place is. */
import { Context } from '@temporalio/activity';
import { sweepAbandonedShards } from '../datapath/erasure/abandoned.ts';
import { scrubErasureObjects } from '../datapath/erasure/scrub.ts';
import type { Stores } from '../drivers/open-site.ts';
import { hoursAt } from '../model/hours.ts';
import { SYSTEM_BUCKET } from '../model/location.ts';
import { REPAIR_LIMIT_KEY } from '../model/repair.ts';
import {
  newScrub,
  SCRUB_LIMIT_KEY,
  type ScrubProgress,
  ScrubProgressSchema,
  type ScrubRequest,
  withLines,
  withObject,
  withoutWait,
  youngLine,
} from '../model/scrub.ts';
import { effect } from './effect.ts';
import { createLimitWatch, writeLimit } from './limits.ts';
import { queueRepair, wakeRepair } from './repair-queue.ts';
import { readScrubProgress, writeScrubProgress } from './scrub-progress.ts';

export interface OpenedScrub {
  readonly progress: ScrubProgress;
  /** Null: no limit. */
  readonly bytesPerSecond: number | null;
  readonly heartbeatSeconds: number;
  readonly eventsPerRun: number;
}
export interface ScrubSegment {
  readonly progress: ScrubProgress;
  readonly seconds: number;
}
export interface SetErasureLimit {
  readonly what: 'scrub' | 'repair';
  readonly bytesPerSecond: number | null;
}

const HOUR_MS = 3_600_000;

export type ScrubActivities = ReturnType<typeof createScrubActivities>;

export function createScrubActivities(stores: Stores) {
  const { site, warm, shardRacks: racks } = stores;
  const watch = createLimitWatch(stores);

  return {
    /** Where the last one was stopped, or at the beginning. */
    openScrub: ({ anew, bytesPerSecond }: Pick<ScrubRequest, 'anew' | 'bytesPerSecond'>): Promise<OpenedScrub> =>
      effect(async () => {
        const before = await readScrubProgress(stores);
        const isResumed = before !== undefined && before.state !== 'complete' && !anew;
        const { workflowExecution } = Context.current().info;
        const progress = isResumed ? withoutWait(before) : newScrub(workflowExecution?.runId ?? 'no-run', new Date().toISOString(), before);
        const rate = bytesPerSecond === undefined ? site.policies.scrubRate : bytesPerSecond;
        await writeLimit(stores, SCRUB_LIMIT_KEY, rate);
        const { heartbeatSeconds, eventsPerRun } = site.policies;
        return { progress, bytesPerSecond: rate, heartbeatSeconds, eventsPerRun };
      }),

    /** Goes on from the place it is given, for so many seconds or to the end of the phase or of its hours; outside of these it reads nothing, and says when they begin. */
    scrubSegment: ({ progress: given, seconds }: ScrubSegment): Promise<ScrubProgress> =>
      effect(async (run) => {
        await warm.ensureBucket(SYSTEM_BUCKET);
        const { isOpen, changesAt } = hoursAt(site.policies.scrubHours, Date.now());
        const endsAt = Math.min(Date.now() + seconds * 1000, changesAt);
        let progress = withoutWait(placeOf(given));
        const { limiter, done } = await watch.limiterAt(SCRUB_LIMIT_KEY, 1);
        const active = activeTime(progress.activeMilliseconds, () => limiter.rate() > 0);
        const step = (next: ScrubProgress): void => {
          progress = { ...next, updatedAt: new Date().toISOString(), activeMilliseconds: active.milliseconds() };
          run.report(progress);
        };
        run.report(progress);
        try {
          if (!isOpen) {
            progress = { ...progress, opensAt: new Date(changesAt).toISOString() };
            return progress;
          }
          if (progress.state === 'reading') {
            const pace = (bytes: number) => limiter.take(bytes, run.signal);
            let isOver = true;
            for await (const object of scrubErasureObjects({ racks, prefix: '', after: progress.after, signal: run.signal, pace })) {
              if (object.problems.length > 0) await queueRepair(stores, object);
              step(withObject(progress, object));
              isOver = Date.now() < endsAt;
              if (!isOver) break;
            }
            if (isOver) {
              const { after: _, ...whole } = progress;
              step({ ...whole, state: 'sweeping' });
            }
          }
          const olderThanMilliseconds = Date.now() - site.policies.sweepAfterHours * HOUR_MS;
          while (progress.state === 'sweeping' && Date.now() < endsAt) {
            const page = await sweepAbandonedShards({ racks, prefix: '', after: progress.after, olderThanMilliseconds, signal: run.signal });
            const { after: _, ...whole } = progress;
            step({
              ...whole,
              ...(page.next === undefined ? { state: 'complete' } : { after: page.next }),
              shardsRemoved: progress.shardsRemoved + page.shardsRemoved,
              unclaimedCount: progress.unclaimedCount + page.unclaimed.length + page.young.length,
              lines: withLines(progress.lines, [
                ...page.unclaimed.map(
                  ({ key }) => `${key}: its shards are there, its manifests are not; \`penstock erasure repair start --claim\` makes them anew`,
                ),
                ...page.young.map((write) => youngLine(write, site.policies.sweepAfterHours)),
                ...page.postponed.map((line) => `not swept: ${line}`),
              ]),
            });
          }
          return progress;
        } finally {
          active.end();
          done();
          await writeScrubProgress(stores, progress);
          if (progress.damagedObjects > given.damagedObjects) await wakeRepair();
        }
      }),

    setErasureLimit: ({ what, bytesPerSecond }: SetErasureLimit): Promise<void> =>
      effect(() => writeLimit(stores, what === 'scrub' ? SCRUB_LIMIT_KEY : REPAIR_LIMIT_KEY, bytesPerSecond)),
  };

  /** An attempt that was lost told its place in its last heartbeat: all before it is on record. */
  function placeOf(given: ScrubProgress): ScrubProgress {
    const told = ScrubProgressSchema.safeParse(Context.current().info.heartbeatDetails);
    // What an earlier version's workflow carries has not all fields.
    return told.success && told.data.scrubId === given.scrubId ? told.data : ScrubProgressSchema.parse(given);
  }
}

const LOOK_MS = 1000;

/** Counts on from what is known, while it is not held up: looked at every second, and when it is asked. What lies between two looks counts where both see it going on. */
function activeTime(known: number, isActive: () => boolean): { milliseconds(): number; end(): void } {
  let total = known;
  let seenAt = performance.now();
  let wasActive = isActive();
  const look = (): void => {
    const now = performance.now();
    const goesOn = isActive();
    if (goesOn && wasActive) total += now - seenAt;
    wasActive = goesOn;
    seenAt = now;
  };
  const timer = setInterval(look, LOOK_MS).unref();
  return {
    milliseconds() {
      look();
      return Math.round(total);
    },
    end: () => clearInterval(timer),
  };
}
