/** Which checkpoints of an allocation stay: the site's terms of today, less what the allocation was admitted with terms of its own for. */
import type { Stores } from '../drivers/open-site.ts';
import { type CheckpointTerms, CheckpointTermsSchema, type RetentionTerms, termsRecordKey } from '../model/checkpoint-retention.ts';
import { absent, PenstockError } from '../model/errors.ts';
import type { AllocationKey } from '../model/identifiers.ts';
import { formatIssues, parseInput } from '../model/issues.ts';
import { parseJson } from '../model/json.ts';
import { SYSTEM_BUCKET } from '../model/location.ts';
import { writeJson } from './system-records.ts';

/** Of the allocation that is admitted now; those of an earlier one of its name are over. */
export async function recordTerms({ warm }: Stores, key: AllocationKey, terms: CheckpointTerms | undefined): Promise<void> {
  if (terms) {
    await warm.ensureBucket(SYSTEM_BUCKET);
    await writeJson(warm, termsRecordKey(key), terms);
  } else await warm.remove(SYSTEM_BUCKET, termsRecordKey(key)).catch(absent);
}

/** @throws PenstockError CorruptSource where they are on record and cannot be read: then nothing may go */
export async function termsOf({ warm, site: { checkpoints } }: Stores, key: AllocationKey): Promise<RetentionTerms> {
  const body = await warm.readBytes(SYSTEM_BUCKET, termsRecordKey(key)).catch(absent);
  if (body === undefined) return checkpoints;
  const parsed = parseInput(CheckpointTermsSchema, parseJson(body));
  if (!parsed.ok) throw unreadable(key, formatIssues(parsed.issues));
  return { keepLast: parsed.value.keepLast ?? checkpoints.keepLast, keepDays: parsed.value.keepDays ?? checkpoints.keepDays };
}

const unreadable = (key: AllocationKey, why: string): PenstockError =>
  new PenstockError('CorruptSource', `${termsRecordKey(key)} is not the record of an allocation's terms: ${why}.`, {
    nextStep: "Remove it to have the site's own terms hold.",
  });
