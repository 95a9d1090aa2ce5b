/** Small records in the system's bucket. */
import type { Stores } from '../drivers/open-site.ts';
import { SYSTEM_BUCKET } from '../model/location.ts';

/** Their names without the prefix, in order, page by page. */
export async function* namesUnder(warm: Stores['warm'], prefix: string): AsyncGenerator<string> {
  for (let after: string | undefined; ; ) {
    const page = await warm.list(SYSTEM_BUCKET, prefix, after === undefined ? {} : { after });
    for (const { key } of page.entries) yield key.slice(prefix.length);
    if (page.next === undefined) return;
    after = page.next;
  }
}

export async function writeJson(warm: Stores['warm'], key: string, value: object): Promise<void> {
  await warm.writeBytes(SYSTEM_BUCKET, key, Buffer.from(JSON.stringify(value)), { contentType: 'application/json' });
}

/** Undefined where it is no JSON. */
export function jsonOf(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    return undefined;
  }
}
