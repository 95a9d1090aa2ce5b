import type { Client } from '@temporalio/client';
import { IdentifierSchema, parseAllocationWorkflowId, TenantSchema } from '../model/identifiers.ts';
import { type Phase, phases } from '../model/phase.ts';

export interface ListFilter {
  readonly tenant?: string;
  readonly project?: string;
  readonly phase?: Phase;
  /** At most this many rows, newest first; default 100. */
  readonly limit?: number;
}

export interface AllocationRow {
  readonly tenant: string;
  readonly project: string;
  readonly allocationId: string;
  readonly phase: Phase | 'unknown';
  readonly startedAt: string;
  readonly closedAt?: string;
}

/** From the visibility store, which may lag by some seconds; `status` never does. */
export async function listAllocations(client: Client, filter: ListFilter = {}): Promise<AllocationRow[]> {
  const clauses = ["WorkflowType = 'allocation'"];
  if (filter.tenant !== undefined) clauses.push(`tenant = '${TenantSchema.parse(filter.tenant)}'`);
  if (filter.project !== undefined) clauses.push(`project = '${IdentifierSchema.parse(filter.project)}'`);
  if (filter.phase !== undefined) clauses.push(`phase = '${filter.phase}'`);
  const rows: AllocationRow[] = [];
  for await (const run of client.workflow.list({ query: clauses.join(' AND ') })) {
    const key = parseAllocationWorkflowId(run.workflowId);
    if (!key) continue;
    const tag = run.typedSearchAttributes.getAll().find((pair) => pair.key.name === 'phase')?.value;
    rows.push({
      ...key,
      phase: phases.find((phase) => phase === tag) ?? 'unknown',
      startedAt: run.startTime.toISOString(),
      ...(run.closeTime ? { closedAt: run.closeTime.toISOString() } : {}),
    });
    if (rows.length >= (filter.limit ?? 100)) break;
  }
  return rows;
}
