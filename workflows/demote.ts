/** Moves a prefix down a tier: list, copy, verify against what was read, record, and only then remove the source. */
import { ApplicationFailure, CancellationScope, ChildWorkflowCancellationType, executeChild, ParentClosePolicy, patched } from '@temporalio/workflow';
import type { OutputActivities } from '../activities/output.ts';
import type { TransferActivities, VerifyRequest } from '../activities/transfer.ts';
import type { ArchiveClass } from '../model/archive.ts';
import { type CheckInput, checkWorkflowId, notWhole } from '../model/check.ts';
import { type AllocationKey, DATA_QUEUE } from '../model/identifiers.ts';
import { formatLocation, type Location, shortLocation } from '../model/location.ts';
import type { ManifestRef } from '../model/manifest.ts';
import type { MoveRequest, TransferRequest } from '../model/transfer.ts';
import type { check } from './check.ts';
import { sealArchive } from './demote-archived.ts';
import { moveAll } from './moving.ts';
import { activities } from './presets.ts';
import { moveInSegments } from './segments.ts';

export interface DemoteRequest extends AllocationKey {
  readonly source: Location;
  readonly target: Location;
  /** Prefixes below the source that stay where they are. */
  readonly exclude: readonly string[];
  readonly outcome: 'succeeded' | 'failed' | 'unknown';
  readonly retention?: TransferRequest['retention'];
  /** The target's class, where that has to be restored before it is read; absent in histories from before 0.4. */
  readonly archive?: ArchiveClass;
  readonly heartbeatSeconds: number;
}

export interface DemoteResult {
  readonly files: number;
  readonly bytes: number;
  /** What lies at the target, object by object. */
  readonly manifest: ManifestRef;
  /** Where that names the packs and objects of an archive: the output that its record speaks of. */
  readonly output?: ManifestRef;
}

export async function demote(request: DemoteRequest): Promise<DemoteResult> {
  // Remove both after 2027-03-01: allocations started before 0.2 have ended by then.
  const inUnits = patched('sliding-window');
  const inParts = patched('verified-in-parts');
  const { source, target, heartbeatSeconds } = request;
  const retention = request.retention ? { retention: request.retention } : {};
  const archive = request.archive ? { archive: request.archive } : {};
  const bulk = (summary: string) => ({ queue: DATA_QUEUE, heartbeatSeconds, summary });

  const manifest = await activities<TransferActivities>('bulk', bulk(`list ${formatLocation(source)}`)).listPrefix({
    tenant: request.tenant,
    project: request.project,
    allocationId: request.allocationId,
    source,
    exclude: request.exclude,
    name: `${source.store}-to-${target.store}`,
  });
  const moved = manifest.files > 0 ? await copy({ manifest, source, target, ...retention, ...archive }, heartbeatSeconds, inUnits) : undefined;
  const sealed = request.archive && moved ? await sealArchive(request, manifest, moved) : undefined;
  if (!sealed) await readBack({ ...request, manifest, ...(moved ? { moved } : {}) }, inParts);
  await activities<OutputActivities>('bulk', bulk(`record ${formatLocation(target)} as whole`)).writeOutputRecord({
    ...request,
    manifest,
    ...(sealed ? { catalog: sealed.catalog } : {}),
  });
  // From the record on, the target is the truth: half a source beside it would be a lie, so this step is always finished.
  await CancellationScope.nonCancellable(() =>
    activities<TransferActivities>('bulk', bulk(`remove the verified source ${formatLocation(source)}`)).removeMoved({ manifest, source }),
  );
  return { files: manifest.files, bytes: manifest.bytes, manifest: sealed?.objects ?? manifest, ...(sealed ? { output: manifest } : {}) };
}

/** Every byte that was moved, held to what was read. */
async function readBack({ manifest, moved, target, heartbeatSeconds, ...request }: DemoteRequest & VerifyRequest, inParts: boolean): Promise<void> {
  const retention = request.retention ? { retention: request.retention } : {};
  if (inParts && moved && (manifest.units ?? 0) > 1) {
    await verifyInParts({ manifest, moved, target, ...retention }, heartbeatSeconds);
    return;
  }
  const call = { queue: DATA_QUEUE, heartbeatSeconds, summary: `verify ${formatLocation(target)} against its manifest` };
  await activities<TransferActivities>('moving', call).verifyTransfer({ manifest, target, ...(moved ? { moved } : {}), ...retention });
}

type Copy = Pick<MoveRequest, 'manifest' | 'source' | 'target' | 'retention' | 'archive'>;

/** All or nothing: what is there in part is no archive. @returns what arrived, where the move puts that on record */
async function copy({ retention, archive, ...place }: Copy, heartbeatSeconds: number, inUnits: boolean): Promise<ManifestRef | undefined> {
  const request = { ...place, ...(retention ? { retention } : {}) };
  const answer =
    inUnits && place.manifest.units !== undefined
      ? await moveAll({ ...request, ...(archive ? { archive } : {}), replace: false }, { heartbeatSeconds, name: place.target.store })
      : { ...(await moveInSegments({ ...request, lane: 'archive' }, { heartbeatSeconds, endAtFailure: true })), moved: undefined };
  if (answer.failedCount === 0) return answer.moved;
  const [first] = answer.failed;
  throw ApplicationFailure.nonRetryable(
    `${answer.failedCount} of ${place.manifest.files} entries could not be copied, the first is ${first?.path}: ${first?.message}`,
    'PartialTransfer',
    answer.failed,
  );
}

/**
 * By a check of its own, which continues as new as often as it takes and repeats no page that has been read. Every byte is read: a store may answer the checksum
 * it once computed over bytes that have rotted since.
 */
async function verifyInParts({ manifest, moved, target, retention }: VerifyRequest & { moved: ManifestRef }, heartbeatSeconds: number): Promise<void> {
  // By the run that listed it, its prefix's last step.
  const checkId = `verify-${manifest.prefix.split('/').at(-2)}`;
  const { store, bucket, prefix } = moved;
  const input: CheckInput = { checkId, manifest: { store, bucket, prefix }, target, read: 'always' };
  const { counts, lines } = await executeChild<typeof check>('check', {
    workflowId: checkWorkflowId(checkId),
    parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
    cancellationType: ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
    staticSummary: `verify ${shortLocation(target)}, reading every byte`,
    args: [input],
  });
  const fault = notWhole(counts, manifest.files, target, lines);
  if (fault) throw ApplicationFailure.nonRetryable(fault.message, fault.type);
  if (!retention) return;
  // A request for each object, and none is remembered: days for what takes longer than a bulk call may.
  const call = { queue: DATA_QUEUE, heartbeatSeconds, summary: `verify the locks of ${formatLocation(target)}` };
  await activities<TransferActivities>('waiting', call).verifyLocks({ manifest, target, ...retention });
}
