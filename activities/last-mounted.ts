/** When an allocation last mounted a prefix: the only last use that an object store can be asked for. One small record a prefix, by name and time alone. */
import type { Stores } from '../drivers/open-site.ts';
import { absent } from '../model/errors.ts';
import { SYSTEM_BUCKET } from '../model/location.ts';
import { writeJson } from './system-records.ts';

const MOUNTED_PREFIX = 'mounted/';
const RECORD = '.last-mounted.json';

/** The record of a mount's source; its own time of modification is what counts. */
export const mountRecordKey = ({ bucket, prefix }: { bucket: string; prefix: string }): string => `${MOUNTED_PREFIX}${bucket}/${prefix}${RECORD}`;

/** @param prefix empty, or with a final `/` */
export async function rememberMount({ warm }: Stores, place: { bucket: string; prefix: string }, allocation: string): Promise<void> {
  await warm.ensureBucket(SYSTEM_BUCKET);
  await writeJson(warm, mountRecordKey(place), { allocation });
}

/** Answers, for "BUCKET/PATH", the latest mount of a prefix that it lies below; in milliseconds since 1970. */
export async function mountTimes({ warm }: Stores, bucket: string): Promise<(path: string) => number | undefined> {
  const times = new Map<string, number>();
  let after: string | undefined;
  do {
    const page = await warm.list(SYSTEM_BUCKET, `${MOUNTED_PREFIX}${bucket}/`, after === undefined ? {} : { after }).catch(absent);
    for (const { key, modifiedAt } of page?.entries ?? []) {
      if (key.endsWith(`/${RECORD}`)) times.set(key.slice(MOUNTED_PREFIX.length, -RECORD.length - 1), Date.parse(modifiedAt));
    }
    after = page?.next;
  } while (after !== undefined);
  return (path) => {
    let latest: number | undefined;
    for (let end = path.indexOf('/'); end >= 0 && times.size > 0; end = path.indexOf('/', end + 1)) {
      const time = times.get(path.slice(0, end));
      if (time !== undefined && time > (latest ?? Number.NEGATIVE_INFINITY)) latest = time;
    }
    return latest;
  };
}
