/** Objects that a scrub did not see whole, for their racks did not answer: on record until they are read again at its end. */
import type { Stores } from '../drivers/open-site.ts';
import { absent } from '../model/errors.ts';
import { parseInput } from '../model/issues.ts';
import { parseJson } from '../model/json.ts';
import { SYSTEM_BUCKET } from '../model/location.ts';
import { SCRUB_UNSEEN, type UnseenObject, UnseenObjectSchema } from '../model/scrub.ts';
import { digestOfKey } from './given-up.ts';
import { namesUnder, writeJson } from './system-records.ts';

type Records = Pick<Stores, 'warm'>;

/** With a rack away all the while, everything on it would be read twice: what goes beyond this waits for the next scrub. */
export const MOST_UNSEEN = 10_000;

export const keepUnseen = ({ warm }: Records, object: UnseenObject): Promise<void> => writeJson(warm, `${SCRUB_UNSEEN}${digestOfKey(object.key)}.json`, object);

export interface UnseenRecord {
  readonly object: UnseenObject;
  /** Before it is counted anew: an attempt that is lost in between leaves it as it was counted, and never counts it twice. */
  forget(): Promise<void>;
}

/** Of this scrub; what another one has left is removed on the way. */
export async function* unseenOf({ warm }: Records, scrubId: string): AsyncGenerator<UnseenRecord> {
  for await (const name of namesUnder(warm, SCRUB_UNSEEN)) {
    const key = SCRUB_UNSEEN + name;
    const body = await warm.readBytes(SYSTEM_BUCKET, key).catch(absent);
    const parsed = parseInput(UnseenObjectSchema, body && parseJson(body));
    const forget = () => warm.remove(SYSTEM_BUCKET, key);
    if (parsed.ok && parsed.value.scrubId === scrubId) yield { object: parsed.value, forget };
    else await forget();
  }
}
