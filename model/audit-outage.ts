/** What is done while the audit log takes nothing. */
import * as z from 'zod';
import type { AuditOperation, OperationFacts } from './audit.ts';

/** `wait`: it does not begin. `spool`: it goes on, and its entries lie synced on its machine until the log takes them. */
export type WhileOut = 'wait' | 'spool';

/**
 * What moves ordinary data, or gives a job what it waits for: nothing of it can be missed for good, and a cluster must not stand still for it. All else waits: what removes data
 * or changes how long it is kept cannot be undone, so it must be on record where its machine cannot take the record with it.
 */
const SPOOLED: ReadonlySet<AuditOperation> = new Set<AuditOperation>([
  'admit',
  'survey',
  'copy',
  'publish',
  'attest',
  'verify',
  'retrieve',
  'make-room',
  'export',
  'snapshot',
  'prepare',
  'archive-logs',
  'checkpoint-commit',
  'checkpoint-drain',
  'checkpoint-release',
  'checkpoint-restore',
  'replicate',
  'repair',
]);

/** Taking access away is never held up: nobody is held because a store is out. Data that may be a sensitive tenant's waits, also where nobody can tell whose it is. */
export function whileLogIsOut({ operation, tenant }: Pick<OperationFacts, 'operation' | 'tenant'>, sensitiveTenants: readonly string[]): WhileOut {
  if (operation === 'revoke') return 'spool';
  const mayBeSensitive = sensitiveTenants.length > 0 && (tenant === undefined || sensitiveTenants.includes(tenant));
  return SPOOLED.has(operation) && !mayBeSensitive ? 'spool' : 'wait';
}

/** Lies in another store than the inbox for as long as a machine has entries in its spool, so that they are missed where the machine is lost with them. */
export const SpoolNoticeSchema = z.object({
  host: z.string(),
  directory: z.string(),
  /** ISO instant of the oldest of them. */
  since: z.iso.datetime(),
});
export type SpoolNotice = z.output<typeof SpoolNoticeSchema>;
