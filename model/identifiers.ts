/**
 * Names that become paths, keys and workflow ids. Everything a tenant can choose is held to these patterns, so that
 * no name can reach outside its own prefix: no slash, no leading dot, no `..`, nothing a shell or a URL would read twice.
 */
import * as z from 'zod';

/** A tenant is also its bucket's name, hence S3's rules: 3 to 63 of a-z, 0-9 and `-`. */
export const TenantSchema = z.string().regex(/^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$/, '3 to 63 of a-z, 0-9 and "-", starting and ending with a letter or digit');

const idExpectation = '1 to 63 of A-Z, a-z, 0-9, ".", "_" and "-", starting with a letter or digit, without ".."';
const idPattern = /^(?!.*\.\.)[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;

export const IdentifierSchema = z.string().regex(idPattern, idExpectation);
export const UserSchema = z.string().regex(/^[a-z_][a-z0-9_-]{0,31}$/, '1 to 32 of a-z, 0-9, "_" and "-", starting with a letter or "_"');

/** Who an allocation belongs to and what it is called; together they are its identity everywhere. */
export interface AllocationKey {
  readonly tenant: string;
  readonly project: string;
  readonly allocationId: string;
}

/** The allocation's workflow id, the same for every client: submitting twice attaches to the first. */
export function allocationWorkflowId(key: AllocationKey): string {
  return `allocation/${key.tenant}/${key.project}/${key.allocationId}`;
}

/** Ships the logs of an allocation while it runs. */
export const followLogsWorkflowId = (key: AllocationKey): string => `follow-logs/${key.tenant}/${key.project}/${key.allocationId}`;

/** Inverse of {@link allocationWorkflowId}; undefined where the id is not an allocation's. */
export function parseAllocationWorkflowId(workflowId: string): AllocationKey | undefined {
  const [kind, tenant, project, allocationId, ...rest] = workflowId.split('/');
  if (kind !== 'allocation' || !tenant || !project || !allocationId || rest.length > 0) return undefined;
  return { tenant, project, allocationId };
}

/** The key prefix inside the tenant's bucket under which everything of an allocation lies; ends with `/`. */
export function allocationPrefix(key: AllocationKey): string {
  return `${key.project}/${key.allocationId}/`;
}

export const CONTROL_QUEUE = 'control';
export const DATA_QUEUE = 'data';
/** Scrub and repair: apart from `data`, whose few places they would hold for days. */
export const ERASURE_QUEUE = 'erasure';
/** Following the logs of running jobs: apart from `data`, whose few places they would hold as long as the jobs run. */
export const LOGS_QUEUE = 'logs';
export const rackQueue = (rackId: string): string => `rack-${rackId}`;
export const nodeQueue = (nodeId: string): string => `node-${nodeId}`;
