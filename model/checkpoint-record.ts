/** The commit record of a checkpoint, beside both copies in the rack and, after the drain, in the erasure set. */
import * as z from 'zod';

export const CheckpointRecordSchema = z.strictObject({
  formatVersion: z.literal(1),
  checkpointId: z.string(),
  committedAt: z.string(),
  /** Hex SHA-256 over the sorted lines `path NUL bytes NUL crc32c LF`. */
  digest: z.string(),
  bytes: z.int(),
  files: z.array(z.strictObject({ path: z.string(), bytes: z.int(), crc32c: z.string() })),
});

export type CheckpointRecord = z.output<typeof CheckpointRecordSchema>;
