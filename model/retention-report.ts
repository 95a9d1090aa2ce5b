/** Evidence of what is retained, for an auditor: `penstock retention report` as JSON, and as a page. Additions are new fields; anything else is a new version. */
import * as z from 'zod';
import { AttestationSchema, FindingSchema, HoldSchema, StageSchema } from './retention.ts';
import { DispositionSchema, LockModeSchema } from './retention-policy.ts';

const InstantSchema = z.string().describe('ISO instant');
const CountSchema = z.int().nonnegative();

export const ReportedObjectSchema = z.strictObject({
  path: z.string().describe('Below the location'),
  bytes: CountSchema,
  crc32c: z.string().exactOptional().describe('Base64, of the content that was archived'),
  mode: LockModeSchema.exactOptional().describe('Of the lock that was read back; absent where there is none'),
  retainUntil: InstantSchema.exactOptional(),
  wasRead: z.boolean().describe('Every byte, for this report'),
  findings: z.array(FindingSchema),
});
export type ReportedObject = z.output<typeof ReportedObjectSchema>;

export const ReportedEventSchema = z.strictObject({
  time: InstantSchema,
  operation: z.string(),
  outcome: z.string().describe('done, failed, cancelled, or intent where no outcome followed'),
  by: z.string(),
  reason: z.string().exactOptional(),
});

export const ReportedRetentionSchema = z.strictObject({
  tenant: z.string(),
  project: z.string(),
  allocationId: z.string(),
  location: z.string(),
  mode: LockModeSchema,
  retainUntil: InstantSchema.describe('Before then the store lets nobody delete; no date that was promised is ever earlier than one before'),
  promisedUntil: InstantSchema.exactOptional().describe('The end that was promised, where the lock goes on because nobody had decided what is to become of it'),
  stage: StageSchema,
  disposition: DispositionSchema,
  decision: z.strictObject({ decision: z.enum(['delete', 'keep']), reason: z.string(), actor: z.string(), at: InstantSchema }).exactOptional(),
  files: CountSchema,
  bytes: CountSchema,
  digest: z.string().describe('Hex SHA-256 over the manifest, which names every file'),
  attestations: CountSchema.describe('Looks at all objects that found nothing wrong'),
  lastAttestedAt: InstantSchema.exactOptional(),
  findingCount: CountSchema.describe('Of the last look on schedule'),
  findings: z.array(FindingSchema),
  holds: z.array(HoldSchema),
  look: AttestationSchema.exactOptional().describe('Made for this report'),
  objects: z.array(ReportedObjectSchema).exactOptional(),
  objectsNotListed: CountSchema.exactOptional(),
  events: z
    .array(ReportedEventSchema)
    .exactOptional()
    .describe('From the audit log, oldest first; absent where the site keeps none. `penstock audit verify` proves it'),
});
export type ReportedRetention = z.output<typeof ReportedRetentionSchema>;

export const RetentionReportSchema = z.strictObject({
  formatVersion: z.literal(1).describe('Of this format'),
  site: z.string().describe("The site's name in its site file"),
  madeAt: InstantSchema,
  subject: z.string().describe('A tenant, or an allocation as tenant/project/allocationId'),
  retentions: z.array(ReportedRetentionSchema).describe('One for each archived output, by allocation'),
});
export type RetentionReport = z.output<typeof RetentionReportSchema>;
