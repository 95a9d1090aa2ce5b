/** Records of objects that were given up. One an object, under the digest of its key; written once. */
import { createHash } from 'node:crypto';
import type { Stores } from '../drivers/open-site.ts';
import { absent, isType, PenstockError } from '../model/errors.ts';
import { GIVEN_UP, type GivenUp, type GivenUpObjects, GivenUpSchema } from '../model/given-up.ts';
import { formatIssues, parseInput } from '../model/issues.ts';
import { parseJson } from '../model/json.ts';
import { SYSTEM_BUCKET } from '../model/location.ts';
import { namesUnder } from './system-records.ts';

type Records = Pick<Stores, 'warm'>;

/** As in the names of records: 40 digits. */
export const digestOfKey = (key: string): string => createHash('sha256').update(key).digest('hex').slice(0, 40);

const recordKey = (key: string): string => `${GIVEN_UP}${digestOfKey(key)}.json`;

/** Also where its record cannot be read: somebody gave it up. */
export const isGivenUp = async ({ warm }: Records, key: string): Promise<boolean> =>
  (await warm.readBytes(SYSTEM_BUCKET, recordKey(key)).catch(absent)) !== undefined;

/** The first word stays. @returns what is on record now */
export async function recordGivenUp({ warm }: Records, record: GivenUp): Promise<GivenUp> {
  await warm.ensureBucket(SYSTEM_BUCKET);
  try {
    await warm.writeBytes(SYSTEM_BUCKET, recordKey(record.key), Buffer.from(JSON.stringify(record)), { contentType: 'application/json', ifNoneMatch: true });
    return record;
  } catch (error) {
    if (!isType(error, 'Conflict')) throw error;
    const standing = await readRecord(warm, recordKey(record.key));
    if (standing.ok) return standing.value;
    throw new PenstockError('CorruptSource', `${recordKey(record.key)} is not the record of an object that was given up: ${formatIssues(standing.issues)}.`, {
      nextStep: `Remove it from the bucket ${SYSTEM_BUCKET} and give the object up again.`,
    });
  }
}

/** It can be read again. */
export const takeBack = ({ warm }: Records, key: string): Promise<void> => warm.remove(SYSTEM_BUCKET, recordKey(key));

/** Digests of the keys of all that were given up. */
export async function givenUpDigests({ warm }: Records): Promise<ReadonlySet<string>> {
  const digests = new Set<string>();
  for await (const name of namesUnder(warm, GIVEN_UP)) digests.add(name.replace(/\.json$/, ''));
  return digests;
}

const RECORDS_SHOWN = 20;

/** How many there are, and as many records as a person reads; one that cannot be read counts all the same. */
export async function givenUpObjects(stores: Records): Promise<GivenUpObjects> {
  await stores.warm.ensureBucket(SYSTEM_BUCKET);
  const digests = [...(await givenUpDigests(stores))];
  const parsed = await Promise.all(digests.slice(0, RECORDS_SHOWN).map((digest) => readRecord(stores.warm, `${GIVEN_UP}${digest}.json`)));
  const records = parsed.flatMap((record) => (record.ok ? [record.value] : []));
  return { objects: digests.length, records: records.sort((a, b) => (a.givenUpAt < b.givenUpAt ? 1 : -1)) };
}

const readRecord = async (warm: Stores['warm'], key: string) => parseInput(GivenUpSchema, parseJson(await warm.readBytes(SYSTEM_BUCKET, key)));
