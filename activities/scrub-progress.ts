/** Where the scrub is, on record: what goes on after a stop, and what `penstock erasure status` shows. */
import type { Stores } from '../drivers/open-site.ts';
import { absent } from '../model/errors.ts';
import { SYSTEM_BUCKET } from '../model/location.ts';
import { SCRUB_PROGRESS_KEY, type ScrubProgress, ScrubProgressSchema } from '../model/scrub.ts';
import { writeJson } from './system-records.ts';

/** Undefined where there never was one. */
export async function readScrubProgress({ warm }: Pick<Stores, 'warm'>): Promise<ScrubProgress | undefined> {
  const body = await warm.readBytes(SYSTEM_BUCKET, SCRUB_PROGRESS_KEY).catch(absent);
  return body && ScrubProgressSchema.parse(JSON.parse(body.toString('utf8')));
}

export const writeScrubProgress = ({ warm }: Pick<Stores, 'warm'>, progress: ScrubProgress): Promise<void> => writeJson(warm, SCRUB_PROGRESS_KEY, progress);
