/** An archived output on a bare gateway, as a demote leaves it: locked objects, the record beside them, and the manifest of what arrived. */
import type { Client } from '@temporalio/client';
import type { AttestRequest } from '../../activities/attestation.ts';
import { crc32cOf } from '../../datapath/transfer/crc32c.ts';
import { listAll } from '../../datapath/transfer/list-all.ts';
import { writeManifest } from '../../datapath/transfer/manifest-store.ts';
import { createObjectEndpoint } from '../../datapath/transfer/object-endpoint.ts';
import type { ObjectStore } from '../../drivers/object-store/port.ts';
import type { Stores } from '../../drivers/open-site.ts';
import { loadSiteFile } from '../../drivers/site-file.ts';
import { CONTROL_QUEUE } from '../../model/identifiers.ts';
import { type Location, SYSTEM_BUCKET } from '../../model/location.ts';
import type { ManifestEntry, ManifestRef } from '../../model/manifest.ts';
import { OUTPUT_RECORD, type OutputRecord } from '../../model/output-record.ts';
import type { Attestation, Lock, RetentionStatus } from '../../model/retention.ts';
import type { RetainRequest } from '../../workflows/retain.ts';
import { recordingStores } from '../unit/cli/recording-stores.ts';
import { siteFile } from '../unit/cli/support.ts';

export const ARCHIVE = 'acme';

/** Nothing but the warm and the cold store are there: both are the gateway. */
export async function storesAt(store: ObjectStore): Promise<Stores> {
  return { ...recordingStores(await loadSiteFile(siteFile)).stores, warm: store, cold: store };
}

export const FILES: ReadonlyMap<string, Buffer> = new Map([
  ['weights.bin', Buffer.alloc(70_000, 'w')],
  ['results/metrics.json', Buffer.from('{"accuracy": 0.97}\n')],
  ['results/notes <1>.txt', Buffer.from('kept\n')],
]);

export function recordOf(allocationId: string, { store, bucket, prefix, pages, files, bytes, digest }: ManifestRef): Buffer {
  const manifest = { store, bucket, prefix, pages };
  const names = { tenant: ARCHIVE, project: 'vision', allocationId, outcome: 'succeeded', location: `cold:s3://${ARCHIVE}/vision/${allocationId}/` } as const;
  const record: OutputRecord = { formatVersion: 1, ...names, files, bytes, digest, manifest };
  return Buffer.from(JSON.stringify(record));
}

/** @param name of its own: the gateway is shared */
export async function archiveAt(store: ObjectStore, name: string, lock: Lock): Promise<AttestRequest> {
  const prefix = `vision/${name}/`;
  for (const [path, body] of FILES) await store.writeBytes(ARCHIVE, `${prefix}${path}`, body, { retention: lock });
  const entries = [...FILES].map(([path, body]) => ({ path, bytes: body.length, modifiedAt: '2026-11-22T00:00:00.000Z', etag: 'e', crc32c: crc32cOf(body) }));
  const place = { store, storeName: 'warm', bucket: SYSTEM_BUCKET, entries };
  const manifest = await writeManifest({ ...place, prefix: `manifests/${name}/` });
  await writeManifest({ ...place, prefix: `manifests/${name}/moved/` });
  await store.writeBytes(ARCHIVE, `${prefix}${OUTPUT_RECORD}`, recordOf(name, manifest), { retention: lock });
  return { manifest, target: { store: 'cold', bucket: ARCHIVE, prefix }, ...lock, round: 0, readShare: 1, isLocked: true };
}

/** The manifest of what lies there, as a demote into an archive class writes it: without the record. */
export async function listedAt(store: ObjectStore, { bucket, prefix }: Location): Promise<ManifestRef> {
  const entries: ManifestEntry[] = [];
  for await (const entry of listAll(createObjectEndpoint(store, bucket, prefix))) if (entry.path !== OUTPUT_RECORD) entries.push(entry);
  return await writeManifest({ store, storeName: 'warm', bucket: SYSTEM_BUCKET, prefix: `manifests/${prefix}objects/`, entries });
}

/** What a look answers that found nothing wrong. */
export const WHOLE: Attestation = { at: '2026-11-22T00:00:00.000Z', objects: 2, read: 1, findingCount: 0, findings: [] };

/** For stand-ins on a skipped clock. @param name of the allocation that is retained */
export const startRetain = (client: Client, name: string, untilMs: number, more: Partial<RetainRequest> = {}) =>
  client.workflow.start<(request: RetainRequest) => Promise<RetentionStatus>>('retain', {
    workflowId: `retention/acme/vision/${name}`,
    taskQueue: CONTROL_QUEUE,
    args: [{ ...retainRequest(untilMs), ...more }],
  });

function retainRequest(untilMs: number): RetainRequest {
  return {
    tenant: 'acme',
    project: 'vision',
    allocationId: 'seven-years',
    manifest: { store: 'warm', bucket: 'penstock-system', prefix: 'manifests/x/', pages: 1, files: 1, bytes: 1, digest: '00' },
    target: { store: 'cold', bucket: 'acme', prefix: 'vision/seven-years/' },
    retainUntil: new Date(untilMs).toISOString(),
    attestDays: 90,
    heartbeatSeconds: 30,
  };
}
