/** Small records in the system's bucket. */
import type { Stores } from '../drivers/open-site.ts';
import { eachPage } from '../drivers/pages.ts';
import { SYSTEM_BUCKET } from '../model/location.ts';

/** Their names without the prefix, in order, page by page. */
export async function* namesUnder(warm: Stores['warm'], prefix: string): AsyncGenerator<string> {
  for await (const { entries } of eachPage((from) => warm.list(SYSTEM_BUCKET, prefix, from))) for (const { key } of entries) yield key.slice(prefix.length);
}

export async function writeJson(warm: Stores['warm'], key: string, value: object): Promise<void> {
  await warm.writeBytes(SYSTEM_BUCKET, key, Buffer.from(JSON.stringify(value)), { contentType: 'application/json' });
}
