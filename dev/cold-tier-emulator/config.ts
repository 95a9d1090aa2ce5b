/** The emulator's configuration: one JSON file, every field checked. */
import * as z from 'zod';

const DurationSchema = z.int().nonnegative();

export const ColdTierConfigSchema = z.strictObject({
  port: z.int().min(0).max(65_535).describe('On 127.0.0.1; 0 takes a free one'),
  upstream: z
    .strictObject({ endpoint: z.url({ protocol: /^http$/ }), region: z.string(), accessKeyId: z.string(), secretAccessKey: z.string() })
    .describe('The S3 gateway that keeps the bytes; nothing else may write to it'),
  stateFile: z.string().startsWith('/').describe('Which objects are archived, and which are restored until when'),
  accessLog: z.string().startsWith('/').optional().describe('A JSON line for each read of an archived object and each restore asked for'),
  restoreMilliseconds: z
    .strictObject({
      GLACIER: z.strictObject({ Expedited: DurationSchema, Standard: DurationSchema, Bulk: DurationSchema }),
      DEEP_ARCHIVE: z.strictObject({ Standard: DurationSchema, Bulk: DurationSchema }),
    })
    .describe('How long a restore takes, by storage class and tier'),
  dayMilliseconds: z.int().positive().default(86_400_000).describe('What counts as a day of a restored copy, and the midnight it ends at'),
  expeditedAtOnce: z.int().nonnegative().default(1000).describe('Capacity for expedited restores; above it they are refused for now'),
});

export type ColdTierConfig = z.output<typeof ColdTierConfigSchema>;
