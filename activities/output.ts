/** The record that says: this output is whole. Written last, so that nothing incomplete is ever offered as finished. */
import type { ObjectStore } from '../drivers/object-store/port.ts';
import type { Stores } from '../drivers/open-site.ts';
import { isType, PenstockError } from '../model/errors.ts';
import type { AllocationKey } from '../model/identifiers.ts';
import { formatLocation, type Location } from '../model/location.ts';
import type { ManifestRef } from '../model/manifest.ts';
import { OUTPUT_RECORD, type OutputRecord, OutputRecordSchema } from '../model/output-record.ts';
import type { TransferRequest } from '../model/transfer.ts';
import { effect } from './effect.ts';

export interface OutputRecordRequest extends AllocationKey {
  readonly target: Location;
  readonly manifest: ManifestRef;
  readonly outcome: OutputRecord['outcome'];
  readonly retention?: TransferRequest['retention'];
  /** Of archived output. */
  readonly catalog?: ManifestRef;
}

export type OutputActivities = ReturnType<typeof createOutputActivities>;

export function createOutputActivities(stores: Stores) {
  return {
    writeOutputRecord: (request: OutputRecordRequest): Promise<void> =>
      effect(async () => {
        const { target, manifest, retention, catalog } = request;
        const store = target.store === 'cold' ? stores.cold : stores.warm;
        const key = `${target.prefix}${OUTPUT_RECORD}`;
        const record: OutputRecord = {
          formatVersion: 1,
          tenant: request.tenant,
          project: request.project,
          allocationId: request.allocationId,
          outcome: request.outcome,
          files: manifest.files,
          bytes: manifest.bytes,
          digest: manifest.digest,
          location: formatLocation(target),
          manifest: { store: manifest.store, bucket: manifest.bucket, prefix: manifest.prefix, pages: manifest.pages },
          ...(retention ? { retainUntil: retention.retainUntil } : {}),
          ...(catalog ? { catalog } : {}),
        };
        try {
          await store.writeBytes(target.bucket, key, Buffer.from(`${JSON.stringify(record, undefined, 2)}\n`), {
            ifNoneMatch: true,
            contentType: 'application/json',
            ...(retention ? { retention } : {}),
          });
        } catch (error) {
          if (!isType(error, 'Conflict')) throw error;
          await acceptEqual(store, target.bucket, key, record);
        }
      }),
  };
}

/** A repeat finds its own record; a different one means that two outputs claim one name. */
async function acceptEqual(store: ObjectStore, bucket: string, key: string, record: OutputRecord): Promise<void> {
  const found = OutputRecordSchema.parse(JSON.parse((await store.readBytes(bucket, key)).toString('utf8')));
  if (found.digest === record.digest && found.files === record.files) return;
  throw new PenstockError('Conflict', `s3://${bucket}/${key} records an output of ${found.files} files with another digest.`, {
    store: store.name,
    nextStep: 'Give the allocation an id of its own.',
  });
}
