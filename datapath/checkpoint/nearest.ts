/** The way back from the nearest whole copy: ring, rack, global tier, erasure set. What one cannot give, the next one is asked for, file by file, and it is said. */
import { Readable } from 'node:stream';
import type { FileStore } from '../../drivers/file-store/port.ts';
import type { CheckpointRecord } from '../../model/checkpoint-record.ts';
import { messageOf, PenstockError } from '../../model/errors.ts';
import { checkContent } from '../transfer/crc32c.ts';
import { readCommitRecord } from './commit.ts';
import { type InErasureSet, readDrainedRecord } from './drained.ts';
import { restoreFiles } from './restore.ts';
import { type RingCopy, readRingFile } from './ring-copies.ts';
import type { RingDevice } from './ring-device.ts';

export type CopyName = 'ring' | 'rack' | 'global' | 'erasure set';
type CheckpointFile = CheckpointRecord['files'][number];
type RecordFacts = Pick<CheckpointRecord, 'checkpointId' | 'committedAt' | 'digest' | 'bytes'> & { readonly files: readonly CheckpointFile[] };

export interface RestoreTarget {
  readonly store: FileStore;
  /** Below its root. */
  readonly directory: string;
  readonly attempt: string;
  readonly signal: AbortSignal;
}
export interface CheckpointCopy {
  readonly name: CopyName;
  /** Undefined where the checkpoint was never committed there. */
  record(): Promise<RecordFacts | undefined>;
  /** A file is under its name only when it is whole and its CRC32C is the record's. @returns what failed; the rest is there */
  restore(files: readonly CheckpointFile[], target: RestoreTarget): Promise<readonly CopyFault[]>;
}
export interface CopyFault {
  readonly copy: CopyName;
  /** Absent where it is the whole copy. */
  readonly path?: string;
  readonly reason: string;
}
export interface Restored {
  readonly checkpointId: string;
  readonly committedAt: string;
  readonly digest: string;
  readonly files: number;
  readonly bytes: number;
  /** How many files each gave. */
  readonly from: Readonly<Partial<Record<CopyName, number>>>;
  /** Why a nearer copy was passed over. */
  readonly faults: readonly CopyFault[];
}

/** @param copies from the nearest on. @throws PenstockError NotFound where none is committed; CheckpointIncomplete where a file is whole in none, with the reasons */
export async function restoreNearest(checkpointId: string, copies: readonly CheckpointCopy[], target: RestoreTarget): Promise<Restored> {
  const faults: CopyFault[] = [];
  const from: Partial<Record<CopyName, number>> = {};
  let standing: RecordFacts | undefined;
  let remaining: readonly CheckpointFile[] = [];
  for (const copy of copies) {
    if (standing && remaining.length === 0) break;
    const record = await recordOf(copy, faults);
    if (!record) continue;
    if (!standing) remaining = record.files;
    standing ??= record;
    if (record.digest !== standing.digest) {
      faults.push({ copy: copy.name, reason: `its record has the digest ${record.digest}, a nearer one ${standing.digest}` });
      continue;
    }
    const failed = await copy.restore(remaining, target);
    target.signal.throwIfAborted();
    faults.push(...failed);
    const missing = new Set(failed.map(({ path }) => path));
    const left = remaining.filter(({ path }) => missing.has(path));
    if (left.length < remaining.length) from[copy.name] = remaining.length - left.length;
    remaining = left;
  }
  const reasons = faults.map(({ copy, path, reason }) => `${copy}${path === undefined ? '' : `, ${path}`}: ${reason}`).join('; ');
  if (!standing) {
    throw new PenstockError(
      'NotFound',
      `checkpoint ${checkpointId} is committed in none of ${copies.map(({ name }) => name).join(', ')}${reasons && ` (${reasons})`}.`,
      {
        nextStep: 'One that was never committed is never offered; `penstock checkpoint list` names those that are.',
      },
    );
  }
  if (remaining.length > 0) {
    throw new PenstockError('CheckpointIncomplete', `${remaining.length} files of checkpoint ${checkpointId} are whole in no copy: ${reasons}.`, {
      nextStep: 'Try again when the stores that were away are back; restart from an older checkpoint otherwise.',
    });
  }
  const { committedAt, digest, files, bytes } = standing;
  return { checkpointId, committedAt, digest, files: files.length, bytes, from, faults };
}

async function recordOf(copy: CheckpointCopy, faults: CopyFault[]): Promise<RecordFacts | undefined> {
  try {
    return await copy.record();
  } catch (error) {
    faults.push({ copy: copy.name, reason: messageOf(error) });
    return undefined;
  }
}

export function ringCopy(device: RingDevice, copy: RingCopy): CheckpointCopy {
  return {
    name: 'ring',
    record: () => Promise.resolve(copy.record),
    restore: (files, target) => each('ring', files, target, async ({ path }) => Readable.from(readRingFile(device, copy, path))),
  };
}

export function fileCopy(name: 'rack' | 'global', store: FileStore, directory: string): CheckpointCopy {
  return {
    name,
    record: () => readCommitRecord(store, directory),
    restore: (files, target) => each(name, files, target, ({ path }) => store.read(`${directory}/${path}`, { signal: target.signal })),
  };
}

export function erasureCopy(inErasureSet: InErasureSet): CheckpointCopy {
  return {
    name: 'erasure set',
    record: () => readDrainedRecord(inErasureSet),
    async restore(files, { store, directory, attempt, signal }) {
      try {
        await restoreFiles({ ...inErasureSet, signal, target: store, directory, attempt, only: files.map(({ path }) => path) });
        return [];
      } catch (error) {
        return files.map(({ path }) => ({ copy: 'erasure set', path, reason: messageOf(error) }));
      }
    },
  };
}

async function each(
  name: CopyName,
  files: readonly CheckpointFile[],
  { store, directory, attempt, signal }: RestoreTarget,
  open: (file: CheckpointFile) => Promise<Readable>,
): Promise<CopyFault[]> {
  const faults: CopyFault[] = [];
  for (const file of files) {
    signal.throwIfAborted();
    try {
      const { content } = checkContent(await open(file), { subject: file.path, store: name, bytes: file.bytes, crc32c: file.crc32c });
      await store.write(`${directory}/${file.path}`, content, { attempt, replace: true, signal });
    } catch (error) {
      faults.push({ copy: name, path: file.path, reason: messageOf(error) });
    }
  }
  return faults;
}
