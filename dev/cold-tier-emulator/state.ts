/** Which objects are archived, in one JSON file that is replaced whole before a change is answered. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import * as z from 'zod';
import { replaceFile } from '../replace-file.ts';

const RestoreSchema = z.strictObject({
  tier: z.enum(['Expedited', 'Standard', 'Bulk']),
  /** Milliseconds since the epoch, as `until`. */
  readyAt: z.number(),
  until: z.number(),
});
const ArchivedSchema = z.strictObject({
  bucket: z.string(),
  key: z.string(),
  /** Empty in a bucket without versions. */
  versionId: z.string(),
  storageClass: z.enum(['GLACIER', 'DEEP_ARCHIVE']),
  restore: RestoreSchema.optional(),
});
const UploadSchema = z.strictObject({ uploadId: z.string(), storageClass: z.string() });
const StateSchema = z.strictObject({ version: z.literal(1), archived: z.array(ArchivedSchema), uploads: z.array(UploadSchema) });

export type Restore = z.output<typeof RestoreSchema>;
export type Archived = z.output<typeof ArchivedSchema>;
export type ObjectName = Pick<Archived, 'bucket' | 'key' | 'versionId'>;

export interface ArchiveState {
  find(name: ObjectName): Archived | undefined;
  put(archived: Archived): Promise<void>;
  forget(name: ObjectName): Promise<void>;
  /** Of restores that are under way. */
  restoring(now: number): readonly Restore[];
  /** The storage class that an upload in parts was begun with. */
  classOfUpload(uploadId: string): string | undefined;
  beginUpload(uploadId: string, storageClass: string): Promise<void>;
  endUpload(uploadId: string): Promise<void>;
}

export async function openArchiveState(file: string): Promise<ArchiveState> {
  const stored = existsSync(file) ? await readFile(file, 'utf8') : undefined;
  const state = stored === undefined ? undefined : StateSchema.parse(JSON.parse(stored));
  const archived = new Map(state?.archived.map((each) => [nameOf(each), each]));
  const uploads = new Map(state?.uploads.map(({ uploadId, storageClass }) => [uploadId, storageClass]));
  let saved: Promise<void> = Promise.resolve();
  const save = (): Promise<void> => {
    const text = JSON.stringify({
      version: 1,
      archived: [...archived.values()],
      uploads: [...uploads].map(([uploadId, storageClass]) => ({ uploadId, storageClass })),
    });
    saved = saved.then(() => replaceFile(file, text));
    return saved;
  };
  return {
    find: (name) => archived.get(nameOf(name)),
    put(each) {
      archived.set(nameOf(each), each);
      return save();
    },
    forget: async (name) => {
      if (archived.delete(nameOf(name))) await save();
    },
    restoring: (now) => [...archived.values()].flatMap(({ restore }) => (restore && restore.readyAt > now ? [restore] : [])),
    classOfUpload: (uploadId) => uploads.get(uploadId),
    beginUpload(uploadId, storageClass) {
      uploads.set(uploadId, storageClass);
      return save();
    },
    endUpload: async (uploadId) => {
      if (uploads.delete(uploadId)) await save();
    },
  };
}

const nameOf = ({ bucket, key, versionId }: ObjectName): string => JSON.stringify([bucket, key, versionId]);
