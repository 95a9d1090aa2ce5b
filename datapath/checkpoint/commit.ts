/**
 * The commit: two copies in the rack, proven equal, synced, and only then a record beside each. Without the record a checkpoint
 * does not exist, so one that was being written when the job died is never offered for restart.
 */
import { createHash } from 'node:crypto';
import type { FileStore } from '../../drivers/file-store/port.ts';
import { byBytes, eachPage } from '../../drivers/pages.ts';
import { COMMIT_RECORD } from '../../model/checkpoint.ts';
import { type CheckpointRecord, CheckpointRecordSchema } from '../../model/checkpoint-record.ts';
import { isType, PenstockError } from '../../model/errors.ts';
import { crc32cOfStream } from '../transfer/crc32c.ts';

export interface Copies {
  readonly checkpointId: string;
  /** Path of the checkpoint below both stores' roots. */
  readonly directory: string;
  readonly local: FileStore;
  readonly rack: FileStore;
  readonly attempt: string;
  readonly signal: AbortSignal;
}

/** @throws PenstockError CheckpointIncomplete naming the first file that is missing or differs */
export async function commitCopies(copies: Copies): Promise<CheckpointRecord> {
  const { local, rack, directory } = copies;
  const [ours, theirs] = [await describe(local, directory, copies.signal), await describe(rack, directory, copies.signal)];
  if (ours.length === 0) throw incomplete(copies, 'holds no file');
  const difference = firstDifference(ours, theirs);
  if (difference) throw incomplete(copies, difference);

  // The rack's record is written last: with it the commit is done. It lies where the job writes, so it is believed only for what it describes.
  const known = await readCommitRecord(rack, directory);
  if (known?.checkpointId === copies.checkpointId && known.digest === digestOf(ours)) return known;
  if (known) throw incomplete(copies, `${COMMIT_RECORD} in the rack is that of another checkpoint; remove it from what the job copies`);

  await Promise.all([local.sync(directory), rack.sync(directory)]);
  const record = recordOf(copies.checkpointId, ours);
  await writeRecord(local, copies, record);
  return writeRecord(rack, copies, record);
}

export type SecondCopy = 'ring' | 'global';
export interface WrittenCopies extends Pick<Copies, 'checkpointId' | 'directory' | 'rack' | 'signal'> {
  /** Where the copy beside the rack's is, with its record; undefined where there is none. */
  readonly findSecond: () => Promise<{ readonly record: CheckpointRecord; readonly copy: SecondCopy } | undefined>;
}

/**
 * Of a checkpoint that the node's writer has committed. The record lies where the job writes, so the rack's copy is read and held to it.
 * @returns undefined where the writer has not. @throws PenstockError CheckpointIncomplete where the copies are not what the record says
 */
export async function confirmWritten(copies: WrittenCopies): Promise<{ readonly record: CheckpointRecord; readonly copy: SecondCopy } | undefined> {
  const { checkpointId, directory, rack } = copies;
  const record = await readCommitRecord(rack, directory);
  const second = record && (await copies.findSecond());
  if (record?.checkpointId !== checkpointId || second?.record.digest !== record.digest) return undefined;
  const found = await describe(rack, directory, copies.signal);
  if (digestOf(found) === record.digest) return { record, copy: second.copy };
  const difference = firstDifference(record.files, found) ?? 'the record names other files';
  throw new PenstockError('CheckpointIncomplete', `checkpoint ${checkpointId}: ${difference} (the record of its commit, ${rack.name}).`, {
    nextStep: 'Write it again under another id.',
  });
}

export function recordOf(checkpointId: string, files: readonly CheckpointFile[]): CheckpointRecord {
  const sorted = files.toSorted((a, b) => byBytes(a.path, b.path));
  return {
    formatVersion: 1,
    checkpointId,
    committedAt: new Date().toISOString(),
    digest: digestOf(sorted),
    bytes: sorted.reduce((sum, file) => sum + file.bytes, 0),
    files: sorted,
  };
}

/** Undefined where the checkpoint was never committed in this store. */
export async function readCommitRecord(store: FileStore, directory: string): Promise<CheckpointRecord | undefined> {
  const path = `${directory}/${COMMIT_RECORD}`;
  if (!(await store.stat(path))) return undefined;
  return CheckpointRecordSchema.parse(JSON.parse((await store.readBytes(path)).toString('utf8')));
}

type CheckpointFile = CheckpointRecord['files'][number];

async function describe(store: FileStore, directory: string, signal: AbortSignal): Promise<CheckpointFile[]> {
  const files: CheckpointFile[] = [];
  for await (const { entries } of eachPage((from) => store.list(directory, { signal, ...from })))
    for (const { path } of entries) {
      const relative = path.slice(directory.length + 1);
      if (relative === COMMIT_RECORD) continue;
      files.push({ path: relative, ...(await crc32cOfStream(await store.read(path, { signal }))) });
    }
  return files;
}

function firstDifference(local: readonly CheckpointFile[], rack: readonly CheckpointFile[]): string | undefined {
  const copy = new Map(rack.map((file) => [file.path, file]));
  for (const file of local) {
    const other = copy.get(file.path);
    if (!other) return `${file.path} is on the node and not in the rack`;
    if (other.bytes !== file.bytes) return `${file.path} has ${file.bytes} bytes on the node and ${other.bytes} in the rack`;
    if (other.crc32c !== file.crc32c) return `${file.path} differs between the node and the rack`;
    copy.delete(file.path);
  }
  const [extra] = copy.keys();
  return extra === undefined ? undefined : `${extra} is in the rack and not on the node`;
}

function incomplete({ checkpointId, local, rack }: Copies, what: string): PenstockError {
  return new PenstockError('CheckpointIncomplete', `checkpoint ${checkpointId}: ${what} (${local.name}, ${rack.name}).`, {
    nextStep: 'Write both copies whole, then commit again.',
  });
}

/** Answers the record that stands: ours, or that of an attempt that was faster and saw the same content. */
export async function writeRecord(
  store: FileStore,
  { directory, attempt, checkpointId }: Pick<Copies, 'directory' | 'attempt' | 'checkpointId'>,
  record: CheckpointRecord,
): Promise<CheckpointRecord> {
  try {
    await store.write(`${directory}/${COMMIT_RECORD}`, Buffer.from(JSON.stringify(record)), { attempt });
    return record;
  } catch (error) {
    if (!isType(error, 'Conflict')) throw error;
    const standing = await readCommitRecord(store, directory);
    if (standing?.digest === record.digest) return standing;
    throw new PenstockError('Conflict', `checkpoint ${checkpointId} was committed before with other content.`, {
      store: store.name,
      nextStep: 'Use a new checkpoint id.',
      cause: error,
    });
  }
}

function digestOf(files: readonly CheckpointFile[]): string {
  const hash = createHash('sha256');
  for (const file of files) hash.update(`${file.path}\0${file.bytes}\0${file.crc32c}\n`);
  return hash.digest('hex');
}
