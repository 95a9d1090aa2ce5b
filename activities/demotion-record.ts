/** The last run of the demotion policy, on record beyond what Temporal remembers. */
import * as z from 'zod';
import type { Stores } from '../drivers/open-site.ts';
import type { DemotionResult } from '../model/demotion-run.ts';
import { stayReasons } from '../model/demotion-verdict.ts';
import { absent } from '../model/errors.ts';
import { SYSTEM_BUCKET } from '../model/location.ts';
import { writeJson } from './system-records.ts';

const KEY = 'demotion/last-run.json';

const CountsSchema = z.object({ files: z.int(), bytes: z.int() });
const LastDemotionSchema = z.object({
  startedAt: z.string(),
  endedAt: z.string().exactOptional(),
  looked: CountsSchema,
  moved: CountsSchema,
  stayed: z.partialRecord(z.enum(stayReasons), z.int()),
  keptCount: z.int(),
  kept: z.array(z.object({ file: z.string(), reason: z.string() })),
  /** Why it ended before its end. */
  failure: z.string().exactOptional(),
});
export type LastDemotion = z.output<typeof LastDemotionSchema>;

export async function writeLastDemotion({ warm }: Stores, result: DemotionResult & { readonly failure?: string }): Promise<void> {
  await warm.ensureBucket(SYSTEM_BUCKET);
  await writeJson(warm, KEY, result);
}

/** Undefined where there was none. */
export async function readLastDemotion({ warm }: Stores): Promise<LastDemotion | undefined> {
  const body = await warm.readBytes(SYSTEM_BUCKET, KEY).catch(absent);
  return body && LastDemotionSchema.parse(JSON.parse(body.toString('utf8')));
}
