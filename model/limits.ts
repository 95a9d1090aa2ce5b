/** Limits in bytes per second, for a store or for one ad hoc transfer: small records that every mover watches while it moves. */
import * as z from 'zod';
import { StoreNameSchema } from './location.ts';
import { RateSchema } from './transfer-input.ts';

/** 0 stops what it limits; a limit that is taken away has no record. */
export const LimitRecordSchema = z.strictObject({ bytesPerSecond: z.int().nonnegative() });
export type LimitRecord = z.output<typeof LimitRecordSchema>;

export const STORE_LIMITS_PREFIX = 'limits/stores/';
export const storeLimitKey = (store: string): string => `${STORE_LIMITS_PREFIX}${store}.json`;
export const transferLimitKey = (transferId: string): string => `limits/transfers/${transferId}.json`;

export const SetStoreLimitSchema = z.strictObject({
  store: StoreNameSchema.describe('hot, warm, cold or an external store of the site file'),
  bytesPerSecond: RateSchema.describe(
    'For all transfers of one mover process together, in and out; 0 stops them until it is raised, null takes the limit away',
  ),
});
export type SetStoreLimit = z.output<typeof SetStoreLimitSchema>;

/** Bytes per second by store; a store without a limit is not named. */
export type StoreLimits = Readonly<Record<string, number>>;

/** One workflow for all of them: it is the one writer of their records. */
export const LIMITS_WORKFLOW_ID = 'limits';
