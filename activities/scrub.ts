/** Reads the erasure set back, a segment of time an activity; what it finds is on record before its place is. */
import { Context } from '@temporalio/activity';
import type { ScrubbedObject } from '../datapath/erasure/scrub.ts';
import type { RateLimiter } from '../datapath/transfer/rate-limiter.ts';
import type { Stores } from '../drivers/open-site.ts';
import { hoursAt } from '../model/hours.ts';
import { SYSTEM_BUCKET } from '../model/location.ts';
import { REPAIR_LIMIT_KEY } from '../model/repair.ts';
import { newScrub, SCRUB_LIMIT_KEY, type ScrubProgress, ScrubProgressSchema, type ScrubRequest, withoutWait } from '../model/scrub.ts';
import type { RateAnswer } from '../model/transfer-input.ts';
import { effect, type Run } from './effect.ts';
import { createLimitWatch, inTurn, writeLimit } from './limits.ts';
import { queueRepair, wakeRepair } from './repair-queue.ts';
import { readObjects, readUnseenAgain, type Segment, sweepShards } from './scrub-phases.ts';
import { readScrubProgress, writeScrubProgress } from './scrub-progress.ts';
import { withinScrubWindow } from './windows.ts';

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
  /** Nobody named a limit: that of the site's policy, where it has one, in place of the one given. */
  readonly isByPolicy?: boolean;
}

export type ScrubActivities = ReturnType<typeof createScrubActivities>;

/** @param wake the repair, once a segment at most */
export function createScrubActivities(stores: Stores, wake: () => Promise<void> = wakeRepair) {
  const { site, warm } = stores;
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
        const active = activeTime(progress.activeMilliseconds);
        const step = (next: ScrubProgress): void => {
          progress = { ...next, updatedAt: new Date().toISOString(), activeMilliseconds: active.milliseconds() };
          run.report(progress);
        };
        run.report(progress);
        let isQueued = false;
        try {
          if (!isOpen) {
            progress = { ...progress, opensAt: new Date(changesAt).toISOString() };
            return progress;
          }
          const queue = async (object: ScrubbedObject): Promise<void> => {
            isQueued = true;
            await queueRepair(stores, object);
          };
          await withinHours(run, endsAt, limiter.rate(), async (window) => {
            const paced = window ? inTurn([limiter, window]) : limiter;
            active.follow(paced);
            const pace = (bytes: number) => paced.take(bytes, run.signal);
            const segment: Segment = { stores, run, endsAt, pace, queue, progress: () => progress, step };
            if (progress.state === 'reading') await readObjects(segment);
            if (progress.state === 'rereading') await readUnseenAgain(segment);
            if (progress.state === 'sweeping') await sweepShards(segment);
          });
          return progress;
        } finally {
          active.end();
          done();
          await writeScrubProgress(stores, progress);
          // Also for what an attempt queued that was lost before it came here.
          if (isQueued || progress.damagedObjects > given.damagedObjects) await wake();
        }
      }),

    /** Answers what it is now; nothing did in histories of workers before 0.3. */
    setErasureLimit: ({ what, bytesPerSecond: given, isByPolicy }: SetErasureLimit): Promise<RateAnswer | undefined> =>
      effect(async () => {
        const { scrubRate, repairRate = null } = site.policies;
        const bytesPerSecond = isByPolicy ? { scrub: scrubRate, repair: repairRate }[what] : given;
        await writeLimit(stores, what === 'scrub' ? SCRUB_LIMIT_KEY : REPAIR_LIMIT_KEY, bytesPerSecond);
        return { bytesPerSecond };
      }),
  };

  /** Within a window, where a fabric of the site carries the scrub. One that comes only when the segment's time is over is of no use: then nothing is read. */
  async function withinHours(run: Run, endsAt: number, rate: number, read: (window?: RateLimiter) => Promise<void>): Promise<void> {
    const left = Math.max(0, endsAt - Date.now());
    const over = AbortSignal.timeout(left);
    const bytes = Math.ceil((Math.min(rate, MOST_READ_PER_SECOND) * Math.max(1, left)) / 1000);
    try {
      await withinScrubWindow(site, { bytes, limit: rate }, { attempt: run.attempt, signal: AbortSignal.any([run.signal, over]) }, read);
    } catch (error) {
      if (error !== over.reason || run.signal.aborted) throw error;
    }
  }

  /** An attempt that was lost told its place in its last heartbeat: all before it is on record. */
  function placeOf(given: ScrubProgress): ScrubProgress {
    const told = ScrubProgressSchema.safeParse(Context.current().info.heartbeatDetails);
    // What an earlier version's workflow carries has not all fields.
    return told.success && told.data.scrubId === given.scrubId ? told.data : ScrubProgressSchema.parse(given);
  }
}

const LOOK_MS = 1000;
/** Of a scrub that is not limited: for a size to ask a window for, no more. */
const MOST_READ_PER_SECOND = 10 ** 9;

/** Counts on from what is known, while it is not held up: looked at every second, and when it is asked. What lies between two looks counts where both see it going on. */
function activeTime(known: number): { follow(paced: RateLimiter): void; milliseconds(): number; end(): void } {
  let total = known;
  let seenAt = performance.now();
  let followed: RateLimiter | undefined;
  const isActive = () => followed !== undefined && followed.rate() > 0;
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
    follow(paced) {
      look();
      followed = paced;
    },
    milliseconds() {
      look();
      return Math.round(total);
    },
    end: () => clearInterval(timer),
  };
}
