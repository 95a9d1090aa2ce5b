/** Evidence of one retention: what its workflow knows, what the store answers now, and what the audit log has of it. */
import type { Stores } from '../drivers/open-site.ts';
import type { Operation } from '../model/audit.ts';
import type { RetentionStatus } from '../model/retention.ts';
import type { ReportedObject, ReportedRetention } from '../model/retention-report.ts';
import { type AttestedObject, attestRetained } from './attestation.ts';
import { queryAudit } from './audit-reading.ts';

/** Of an output; what has findings is listed in any case. */
const OBJECTS_LISTED = 10_000;
const EVENTS_LISTED = 10_000;
const OPERATIONS: ReadonlySet<string> = new Set(['publish', 'lock', 'extend', 'hold', 'attest', 'delete']);

/** Without a look at the store: what the last one on schedule found. */
export function reportStatus(status: RetentionStatus): ReportedRetention {
  const { breach: _first, manifest, output, target: _location, findings, holds, ...known } = status;
  const { files, bytes, digest } = output ?? manifest;
  return { ...known, files, bytes, digest, findings: [...findings], holds: [...holds] };
}

export async function reportRetention(
  stores: Stores,
  status: RetentionStatus,
  options: { readonly readShare: number; readonly signal: AbortSignal; readonly onProgress: (details: unknown) => void },
): Promise<ReportedRetention> {
  const { manifest, output, target, retainUntil, mode, stage, promisedUntil } = status;
  const report = reportStatus(status);
  const events = stores.site.audit ? { events: await eventsOf(stores, status) } : {};
  if (stage === 'deleted') return { ...report, ...events };
  const objects: ReportedObject[] = [];
  let objectsNotListed = 0;
  const onObject = (object: AttestedObject): void => {
    if (objects.length < OBJECTS_LISTED || object.findings.length > 0) objects.push(reported(object));
    else objectsNotListed += 1;
  };
  const isLocked = stage === 'kept' || (stage === 'undecided' && promisedUntil !== undefined);
  const request = { manifest, ...(output ? { output } : {}), target, retainUntil, mode, round: 0, readShare: options.readShare, isLocked };
  const look = await attestRetained(stores, request, { signal: options.signal, report: options.onProgress, onObject });
  objects.sort((one, other) => (one.path < other.path ? -1 : 1));
  return { ...report, look, objects, objectsNotListed, ...events };
}

function reported({ path, bytes, crc32c, lock, wasRead, findings }: AttestedObject): ReportedObject {
  return { path, bytes, ...(crc32c === undefined ? {} : { crc32c }), ...lock, wasRead, findings: [...findings] };
}

async function eventsOf(stores: Stores, { tenant, project, allocationId }: RetentionStatus): Promise<NonNullable<ReportedRetention['events']>> {
  const events = new Map<string, Operation>();
  for await (const entry of queryAudit(stores, { allocation: `${tenant}/${project}/${allocationId}`, limit: EVENTS_LISTED })) {
    // The outcome takes the place of its intent.
    const { runId, activityId, attempt, id } = entry;
    if (OPERATIONS.has(entry.operation)) events.set(activityId === undefined ? id : `${runId}/${activityId}/${attempt}`, entry);
  }
  return [...events.values()].map(({ time, operation, outcome, stage, user, actor, reason }) => ({
    time,
    operation,
    outcome: outcome ?? stage,
    by: user ?? actor,
    ...(reason === undefined ? {} : { reason }),
  }));
}
