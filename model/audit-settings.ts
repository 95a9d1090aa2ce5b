/** The site file's section `audit`: where the log lies, who signs it, and for how long it is kept. */
import * as z from 'zod';
import { IdentifierSchema } from './identifiers.ts';
import { SecretSchema } from './site-parts.ts';

const KeySchema = z.union([z.literal('embedded'), SecretSchema]);

export const AuditSettingsSchema = z.strictObject({
  bucket: z
    .string()
    .regex(/^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$/, '3 to 63 of a-z, 0-9 and "-", starting and ending with a letter or digit')
    .describe('A bucket of the cold store, made with Object Lock where it is not there'),
  key: KeySchema.describe("A reference to the log's Ed25519 private key, PEM as `openssl genpkey -algorithm ed25519` makes it"),
  witnessKey: KeySchema.describe("The same of the witness, which signs only what continues what it signed before; not the log's key"),
  previousKey: SecretSchema.optional().describe("While the log's key is changed: the one before, which signs the announcement of the new one"),
  previousWitnessKey: SecretSchema.optional().describe("The same of the witness's key"),
  retentionYears: z.int().min(1).max(100).default(7).describe('How long segments and checkpoints are locked, COMPLIANCE'),
  checkpointSeconds: z.number().min(1).max(3600).default(60).describe('The longest that an entry waits for its checkpoint; a thousand entries do not wait'),
  spool: z
    .string()
    .default('audit-spool')
    .describe(
      "Where a worker keeps, synced, what goes on while the log takes nothing: on the machine's own storage. Relative paths are below the site directory",
    ),
  sensitiveTenants: z
    .array(IdentifierSchema)
    .default([])
    .describe('Tenants of whose data nothing is read or disclosed while the log takes nothing; what belongs to no tenant then waits, too'),
});
export type AuditSettings = z.output<typeof AuditSettingsSchema>;
