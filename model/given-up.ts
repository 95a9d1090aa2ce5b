/** Objects of the erasure set that a person gave up, for they are lost for good: who, when, why, and what was lost. A record each, in the system's bucket. */
import * as z from 'zod';

export const GIVEN_UP = 'erasure/given-up/';

const TextSchema = z.string().trim().min(1);

export const GiveUpSchema = z.strictObject({
  by: TextSchema.max(200).describe('Who gives it up'),
  reason: TextSchema.max(2_000).describe('Why'),
});
export type GiveUp = z.output<typeof GiveUpSchema>;

const LostShardSchema = z.strictObject({
  index: z.int().nonnegative(),
  /** Absent where it was never written. */
  rack: z.string().optional(),
  state: z.enum(['lost', 'rotten', 'unwritten']),
  why: z.string().max(500).optional(),
});

/** What is lost: the object, and which of its shards are not there or not sound. */
export const LossSchema = z.strictObject({
  key: z.string(),
  bytes: z.int().nonnegative(),
  sha256: z.string(),
  createdAt: z.string(),
  writeId: z.string(),
  soundShards: z.int().nonnegative(),
  lostShards: z.array(LostShardSchema),
});
export type Loss = z.output<typeof LossSchema>;

export const GivenUpSchema = z.strictObject({ ...LossSchema.shape, ...GiveUpSchema.shape, givenUpAt: z.iso.datetime() });
export type GivenUp = z.output<typeof GivenUpSchema>;

export interface GivenUpObjects {
  readonly objects: number;
  /** Some of them, the last ones first. */
  readonly records: readonly GivenUp[];
}
