/** What follows a move into an archive class, in place of reading it back. */
import type { ArchivedActivities } from '../activities/archived.ts';
import type { TransferActivities } from '../activities/transfer.ts';
import { DATA_QUEUE } from '../model/identifiers.ts';
import { formatLocation } from '../model/location.ts';
import type { ManifestRef } from '../model/manifest.ts';
import { OUTPUT_RECORD } from '../model/output-record.ts';
import type { DemoteRequest } from './demote.ts';
import { activities } from './presets.ts';

export interface SealedArchive {
  /** Where each file lies. */
  readonly catalog: ManifestRef;
  /** The packs, objects and catalog pages themselves: what a retention watches over. */
  readonly objects: ManifestRef;
}

export async function sealArchive(request: DemoteRequest, manifest: ManifestRef, moved: ManifestRef): Promise<SealedArchive> {
  const { target, retention, heartbeatSeconds } = request;
  const at = formatLocation(target);
  const call = (summary: string) => ({ queue: DATA_QUEUE, heartbeatSeconds, summary });
  await activities<ArchivedActivities>('moving', call(`verify ${at} by what the store says of it`)).verifyArchived({ manifest, moved, target });
  const catalog = await activities<ArchivedActivities>('bulk', call(`write the catalog of ${at}`)).writeCatalog({
    moved,
    target,
    ...(retention ? { retention } : {}),
  });
  const objects = await activities<TransferActivities>('bulk', call(`list the objects of ${at}`)).listPrefix({
    tenant: request.tenant,
    project: request.project,
    allocationId: request.allocationId,
    source: target,
    exclude: [OUTPUT_RECORD],
    name: `${target.store}-objects`,
  });
  if (retention) await activities<TransferActivities>('waiting', call(`verify the locks of ${at}`)).verifyLocks({ manifest: objects, target, ...retention });
  return { catalog, objects };
}
