/** `.penstock/output.json` beside a published output: its presence says that the output is whole, its manifest proves it. */
import * as z from 'zod';
import { ManifestRefSchema } from './manifest.ts';

export const OUTPUT_RECORD = '.penstock/output.json';
/** Of archived output: a manifest (docs/formats/manifest.md) that says in which pack each file lies. */
export const CATALOG_PREFIX = '.penstock/catalog/';

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
  /** Below {@link CATALOG_PREFIX}; absent where each file is an object of its own. */
  catalog: ManifestRefSchema.optional(),
});

export type OutputRecord = z.output<typeof OutputRecordSchema>;
