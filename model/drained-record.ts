/** The record of a drained checkpoint in the erasure set, written last: which files it has, and which of them share a pack. */
import * as z from 'zod';
import { type CheckpointRecord, CheckpointRecordSchema } from './checkpoint-record.ts';

const PackedRecordSchema = CheckpointRecordSchema.extend({
  formatVersion: z.literal(2),
  files: z.array(
    z.strictObject({
      path: z.string(),
      bytes: z.int().nonnegative(),
      crc32c: z.string(),
      /** ISO instant. */
      modifiedAt: z.iso.datetime(),
      /** Permission bits, for whoever wants them back; a restore does not set them, for it does not set the owner either. */
      mode: z.int().nonnegative(),
      /** Index in `packs`; absent where the file is an object of its own. */
      pack: z.int().nonnegative().optional(),
    }),
  ),
  /** Keys below the checkpoint's prefix. */
  packs: z.array(z.strictObject({ name: z.string(), bytes: z.int().positive() })),
}).refine(({ files, packs }) => {
  const used = new Set(files.flatMap(({ pack }) => pack ?? []));
  return used.size === packs.length && [...used].every((pack) => pack < packs.length);
}, 'each pack holds files, and no file is in a pack that is not there');

/** Version 1, of before there were packs, is the commit record itself: each file is an object of its own. */
export const DrainedRecordSchema = z.union([PackedRecordSchema, CheckpointRecordSchema]);

export type DrainedRecord = z.output<typeof DrainedRecordSchema>;
export type PackedRecord = z.output<typeof PackedRecordSchema>;
/** A file with what the file system said of it. */
export type DescribedFile = PackedRecord['files'][number];
export type DrainedFile = CheckpointRecord['files'][number] & Partial<Pick<DescribedFile, 'modifiedAt' | 'mode' | 'pack'>>;

/** Below a checkpoint's prefix, beside its files. */
export const PACK_FOLDER = 'penstock-packs/';
export const packName = (id: string): string => `${PACK_FOLDER}${id}.pack`;
