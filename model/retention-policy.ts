/** What a site promises of archived output: how it is locked, how it is watched over, and what becomes of it at the end. */
import * as z from 'zod';

export const LockModeSchema = z.enum(['COMPLIANCE', 'GOVERNANCE']);
/** COMPLIANCE: nobody can delete it or shorten its retention. GOVERNANCE: whoever has the store's right to bypass can. */
export type LockMode = z.output<typeof LockModeSchema>;

export const DispositionSchema = z.enum(['keep', 'delete', 'ask']);
export type Disposition = z.output<typeof DispositionSchema>;

export const RetentionPolicySchema = z.strictObject({
  mode: LockModeSchema.default('COMPLIANCE').describe('COMPLIANCE: nobody can free it. GOVERNANCE: whoever has the right to bypass can'),
  minimumDays: z.number().nonnegative().default(0).describe('What the law asks for: no retention is shorter, whatever a request names'),
  holdDays: z.number().positive().default(180).describe('How far ahead the lock is kept while a legal hold stands; twice attestDays at least'),
  readShare: z
    .number()
    .min(0)
    .max(1)
    .default(0.05)
    .describe(
      'Part of the objects whose every byte is read at each attestation, in turn. 1 reads them all, 0 only looks at locks, sizes and checksums on record',
    ),
  disposition: DispositionSchema.default('keep').describe(
    'What becomes of it at the end: keep (no longer locked), delete (every version), ask (a person decides by `penstock retention dispose`; it stays locked until then)',
  ),
  undecidedDays: z
    .number()
    .positive()
    .default(30)
    .describe(
      'With disposition ask: how far ahead the lock is kept while nobody has decided, renewed at the half. A decision takes effect when the last lock has run out',
    ),
});
export type RetentionPolicy = z.output<typeof RetentionPolicySchema>;
