/** `.penstock/output.json` beside a published output: its presence says that the output is whole, its manifest proves it. */
import * as z from 'zod';

export const OUTPUT_RECORD = '.penstock/output.json';

export const OutputRecordSchema = z.strictObject({
  formatVersion: z.literal(1),
  tenant: z.string(),
  project: z.string(),
  allocationId: z.string(),
  outcome: z.enum(['succeeded', 'failed', 'unknown']),
  files: z.int(),
  bytes: z.int(),
  /** Hex SHA-256 over the manifest's pages. */
  digest: z.string(),
  location: z.string(),
  manifest: z.strictObject({ store: z.string(), bucket: z.string(), prefix: z.string(), pages: z.int() }),
  retainUntil: z.string().optional(),
});

export type OutputRecord = z.output<typeof OutputRecordSchema>;
