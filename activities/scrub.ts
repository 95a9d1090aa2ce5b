/** Reads the erasure set back, a segment of time an activity; what it finds is on record before its place is. */
import { Context, metricMeter } from '@temporalio/activity';
import { sweepAbandonedShards } from '../datapath/erasure/abandoned.ts';
import { scrubErasureObjects } from '../datapath/erasure/scrub.ts';
import type { Stores } from '../drivers/open-site.ts';
import { hoursAt } from '../model/hours.ts';
import { SYSTEM_BUCKET } from '../model/location.ts';
import { REPAIR_LIMIT_KEY } from '../model/repair.ts';
import {
  marginsToMeasure,
  newScrub,
  SCRUB_LIMIT_KEY,
  type ScrubProgress,
  ScrubProgressSchema,
  type ScrubRequest,
  scrubShare,
  withLines,
  withObject,
  withoutWait,
} from '../model/scrub.ts';
import { effect } from './effect.ts';
import { createLimitWatch, writeLimit } from './limits.ts';
import { queueRepair, wakeRepair } from './repair-queue.ts';
import { readScrubProgress, writeScrubProgress } from './scrub-progress.ts';

export interface OpenedScrub {
  readonly progress: ScrubProgress;
  readonly bytesPerSecond: number;
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
        const rate = bytesPerSecond ?? site.policies.scrubRate;
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
        const step = (next: ScrubProgress): void => {
          progress = { ...next, updatedAt: new Date().toISOString() };
          run.report(progress);
        };
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
              unclaimedCount: progress.unclaimedCount + page.unclaimed.length,
              lines: withLines(progress.lines, [
                ...page.unclaimed.map(
                  ({ key }) => `${key}: its shards are there, its manifests are not; \`penstock erasure repair start --claim\` makes them anew`,
                ),
                ...page.postponed.map((line) => `not swept: ${line}`),
              ]),
            });
          }
          return progress;
        } finally {
          done();
          await writeScrubProgress(stores, progress);
          if (progress.damagedObjects > given.damagedObjects) await wakeRepair();
          measure(progress);
        }
      }),

    setErasureLimit: ({ what, bytesPerSecond }: SetErasureLimit): Promise<void> =>
      effect(() => writeLimit(stores, what === 'scrub' ? SCRUB_LIMIT_KEY : REPAIR_LIMIT_KEY, bytesPerSecond)),
  };

  /** An attempt that was lost told its place in its last heartbeat: all before it is on record. */
  function placeOf(given: ScrubProgress): ScrubProgress {
    const told = ScrubProgressSchema.safeParse(Context.current().info.heartbeatDetails);
    return told.success && told.data.scrubId === given.scrubId ? told.data : given;
  }
}

function measure(progress: ScrubProgress): void {
  const objects = metricMeter.createGauge(
    'penstock_erasure_objects',
    'int',
    undefined,
    'objects by their class and the number of racks that may still be lost, as the last complete scrub saw them',
  );
  for (const { objectClass, margin, objects: count } of marginsToMeasure(progress)) objects.set(count, { class: objectClass, margin: String(margin) });
  metricMeter.createGauge('penstock_erasure_scrubbed_bytes', 'int', 'By', 'shards read by this scrub so far').set(progress.storedBytes);
  metricMeter
    .createGauge('penstock_erasure_scrub_share', 'float', undefined, 'how much of the erasure set this scrub has read, by the last complete one')
    .set(scrubShare(progress) ?? 0);
}
