/** Entries of a plausible month: a hundred allocations at a time, fifty entries each, of ten tenants on a hundred nodes. */
import { auditOperations, type Operation } from '../../model/audit.ts';

export const START_MS = Date.UTC(2026, 10, 1);
export const END_MS = Date.UTC(2026, 11, 1);
const AT_ONCE = 100;
const EACH = 50;

export function entriesFrom(first: number, count: number, strideMs: number): Operation[] {
  return Array.from({ length: count }, (_, index) => entryOf(first + index, strideMs));
}

function entryOf(number: number, strideMs: number): Operation {
  const allocation = Math.floor(number / (AT_ONCE * EACH)) * AT_ONCE + (number % AT_ONCE);
  const [tenant, allocationId] = [`tenant-${allocation % 10}`, `train-${String(allocation).padStart(6, '0')}`];
  const isIntent = Math.floor(number / AT_ONCE) % 2 === 0;
  return {
    kind: 'operation',
    id: number.toString(16).padStart(32, '0'),
    stage: isIntent ? 'intent' : 'outcome',
    time: new Date(Math.floor(START_MS + number * strideMs)).toISOString(),
    operation: auditOperations[Math.floor(number / (2 * AT_ONCE)) % auditOperations.length] ?? 'copy',
    actor: 'worker data mover-1 4711',
    tenant,
    project: 'vision',
    allocationId,
    nodeId: `n${String(number % AT_ONCE).padStart(3, '0')}`,
    store: 'warm',
    paths: [`hot:s3://${tenant}/vision/${allocationId}/`, `warm:s3://${tenant}/vision/${allocationId}/`],
    activity: 'moveUnit',
    activityId: String(number % EACH),
    workflowId: `allocation/${tenant}/vision/${allocationId}`,
    runId: `0198f5c0-0000-7000-8000-${String(allocation).padStart(12, '0')}`,
    attempt: 1,
    ...(isIntent ? {} : { outcome: 'done' }),
  };
}
