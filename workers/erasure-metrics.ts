/**
 * What is on record of the erasure set, to Prometheus: read by each worker every minute, so that one that has just begun tells it, and none tells what another one's scrub has
 * overtaken.
 */
import type { MetricMeter } from '@temporalio/common';
import { firstRepairs } from '../activities/repair-queue.ts';
import { readScrubProgress } from '../activities/scrub-progress.ts';
import type { Stores } from '../drivers/open-site.ts';
import { marginsToMeasure, scrubShare } from '../model/scrub.ts';

/** A listing of the repairs' names is up to two hundred requests. */
const EVERY_MS = 60_000;

/** From now on, until the answer is called. What cannot be read now is read the next time; until then the gauges keep what they were. */
export function watchErasure(meter: MetricMeter, stores: Stores, onTrouble: (error: unknown) => void): () => void {
  let timer: NodeJS.Timeout | undefined;
  let isOver = false;
  const look = async (): Promise<void> => {
    await recordErasure(meter, stores).catch(onTrouble);
    if (!isOver) timer = setTimeout(() => void look(), EVERY_MS).unref();
  };
  void look();
  return () => {
    isOver = true;
    clearTimeout(timer);
  };
}

export async function recordErasure(meter: MetricMeter, stores: Stores): Promise<void> {
  const [scrub, repairs] = await Promise.all([readScrubProgress(stores), firstRepairs(stores, 0)]);
  const due = meter.createGauge(
    'penstock_erasure_repairs',
    'int',
    undefined,
    'objects on record to be repaired: due, or put off until racks or space are back',
  );
  due.set(repairs.due.objects, { state: 'due' });
  due.set(repairs.laterObjects, { state: 'put-off' });
  if (!scrub) return;
  const objects = meter.createGauge(
    'penstock_erasure_objects',
    'int',
    undefined,
    'objects by their class and the number of racks that may still be lost, as the last complete scrub saw them',
  );
  for (const { objectClass, margin, objects: count } of marginsToMeasure(scrub)) objects.set(count, { class: objectClass, margin: String(margin) });
  meter.createGauge('penstock_erasure_scrubbed_bytes', 'int', 'By', 'shards read by the last scrub so far').set(scrub.storedBytes);
  const share = scrubShare(scrub);
  // Of the first scrub nobody knows it.
  if (share === undefined) return;
  meter
    .createGauge('penstock_erasure_scrub_share', 'float', undefined, 'how much of the erasure set the last scrub has read, by the complete one before')
    .set(share);
}
