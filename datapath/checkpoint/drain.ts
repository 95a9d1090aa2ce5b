/** A committed checkpoint's way to the erasure set and back: one erasure object a file, the commit record last. */
import { Readable } from 'node:stream';
import pLimit from 'p-limit';
import type { FileStore } from '../../drivers/file-store/port.ts';
import type { RackStore } from '../../drivers/rack-store/port.ts';
import { COMMIT_RECORD } from '../../model/checkpoint.ts';
import { type CheckpointRecord, CheckpointRecordSchema } from '../../model/checkpoint-record.ts';
import { PenstockError } from '../../model/errors.ts';
import { listErasureObjects, newWriteId, readErasureObject, removeErasureObject, verifyErasureObject, writeErasureObject } from '../erasure/index.ts';
import { checkContent } from '../transfer/crc32c.ts';
import { readCommitRecord } from './commit.ts';

const FILES_AT_ONCE = 2; // each holds a stripe of up to 18 MiB in flight

export interface DrainProgress {
  readonly files: number;
  readonly bytes: number;
  readonly doneFiles: number;
  readonly doneBytes: number;
}
interface InErasureSet {
  readonly racks: readonly RackStore[];
  /** Key prefix of the checkpoint, ending with `/`. */
  readonly prefix: string;
  readonly signal: AbortSignal;
}
interface WithProgress {
  readonly onProgress?: (progress: DrainProgress) => void;
}
export interface DrainFiles extends InErasureSet, WithProgress {
  readonly source: FileStore;
  readonly directory: string;
  readonly attempt: string;
}

/** Every byte is held against the checksum of the commit on its way; the record comes last, for it is what makes a checkpoint. */
export async function drainFiles(request: DrainFiles): Promise<void> {
  const { racks, prefix, source, directory, signal } = request;
  const record = await readCommitRecord(source, directory);
  if (!record) {
    // A repeat after the copy was released finds its effect in the erasure set.
    if (await readDrainedRecord(request)) return;
    throw new PenstockError('CheckpointIncomplete', `${directory} has no commit record.`, {
      store: source.name,
      nextStep: 'Only committed checkpoints are drained.',
    });
  }
  await eachFile(record, request, async (file, onProgress) => {
    const path = `${directory}/${file.path}`;
    const { content } = checkContent(await source.read(path, { signal }), { subject: path, store: source.name, bytes: file.bytes, crc32c: file.crc32c });
    try {
      await writeErasureObject({
        racks,
        key: `${prefix}${file.path}`,
        content,
        bytes: file.bytes,
        writeId: newWriteId(),
        signal,
        onProgress,
      });
    } catch (error) {
      if (!(error instanceof PenstockError && error.type === 'ChecksumMismatch')) throw error;
      // Reading it again would not mend it: a person must know, while the node's copy may still be there.
      throw new PenstockError('CorruptSource', error.message, { nextStep: "Look for the node's copy before its node is wiped.", cause: error });
    }
  });
  const body = Buffer.from(JSON.stringify(record));
  await writeErasureObject({ racks, key: `${prefix}${COMMIT_RECORD}`, content: Readable.from([body]), bytes: body.length, writeId: newWriteId(), signal });
}

/** Two shards may be missing after a write and wait for repair; a copy with less margin is not one to let go of the source for. */
const LEAST_MARGIN = 2;

/** Reads every shard of every file back from its rack. StoreUnavailable names the racks where too few shards are sound. */
export async function verifyFiles(request: InErasureSet & WithProgress): Promise<void> {
  const record = await demandDrainedRecord(request);
  const verify = async (path: string) => {
    const key = `${request.prefix}${path}`;
    const { digestMatches, margin, shards } = await verifyErasureObject({ racks: request.racks, key, signal: request.signal });
    if (digestMatches && margin >= LEAST_MARGIN) return;
    const unsound = shards.filter((shard) => shard.state !== 'sound').map((shard) => `${shard.rack ?? 'no rack'} (${shard.message ?? shard.state})`);
    throw new PenstockError(
      'StoreUnavailable',
      `${key} has a margin of ${margin} lost racks, ${LEAST_MARGIN} are needed to release its source: ${unsound.join(', ')}.`,
      {
        store: 'erasure set',
        nextStep: 'It is read again until the racks answer; the in-rack copy is kept.',
      },
    );
  };
  await eachFile(record, request, (file) => verify(file.path));
  await verify(COMMIT_RECORD);
}

export interface RestoreFiles extends InErasureSet, WithProgress {
  readonly target: FileStore;
  readonly directory: string;
  readonly attempt: string;
}

/** Byte for byte what was committed; files already there with the same content are left. */
export async function restoreFiles(request: RestoreFiles): Promise<{ files: number; bytes: number; degradedRacks: string[] }> {
  const { racks, prefix, target, directory, attempt, signal } = request;
  const degraded = new Set<string>();
  const record = await demandDrainedRecord(request);
  await eachFile(record, request, async (file) => {
    const object = await readErasureObject({ racks, key: `${prefix}${file.path}`, signal });
    const { content } = checkContent(object.content, { subject: file.path, store: 'erasure set', bytes: file.bytes, crc32c: file.crc32c });
    await target.write(`${directory}/${file.path}`, content, { attempt, replace: true, signal });
    for (const finding of object.findings) degraded.add(finding.rack);
  });
  return { files: record.files.length, bytes: record.bytes, degradedRacks: [...degraded].sort() };
}

/** Removes the record first, so that a half-removed checkpoint is never offered. */
export async function removeDrained(request: InErasureSet): Promise<void> {
  const { racks, prefix, signal } = request;
  await removeErasureObject({ racks, key: `${prefix}${COMMIT_RECORD}`, signal });
  // Removed page by page from the start: what is gone is not listed again.
  for (
    let page = await listErasureObjects({ racks, prefix, signal });
    page.keys.length > 0;
    page = await listErasureObjects({ racks, prefix, signal, after: page.keys.at(-1) })
  ) {
    for (const key of page.keys) await removeErasureObject({ racks, key, includeAttempts: true, signal });
  }
}

export async function readDrainedRecord({ racks, prefix, signal }: InErasureSet): Promise<CheckpointRecord | undefined> {
  try {
    const { content } = await readErasureObject({ racks, key: `${prefix}${COMMIT_RECORD}`, signal });
    const chunks: Buffer[] = [];
    for await (const chunk of content) chunks.push(Buffer.from(chunk));
    return CheckpointRecordSchema.parse(JSON.parse(Buffer.concat(chunks).toString('utf8')));
  } catch (error) {
    if (error instanceof PenstockError && error.type === 'NotFound') return undefined;
    throw error;
  }
}

async function demandDrainedRecord(request: InErasureSet): Promise<CheckpointRecord> {
  const record = await readDrainedRecord(request);
  if (record) return record;
  throw new PenstockError('NotFound', `the erasure set holds no committed checkpoint ${request.prefix}`, {
    nextStep: 'List the allocation: it may still be draining.',
  });
}

async function eachFile(
  record: CheckpointRecord,
  { onProgress }: WithProgress,
  work: (file: CheckpointRecord['files'][number], onBytes: (bytes: number) => void) => Promise<unknown>,
): Promise<void> {
  const limit = pLimit(FILES_AT_ONCE);
  let doneFiles = 0;
  let doneBytes = 0;
  const underWay = new Map<string, number>();
  const tell = () =>
    onProgress?.({
      files: record.files.length,
      bytes: record.bytes,
      doneFiles,
      doneBytes: doneBytes + [...underWay.values()].reduce((sum, each) => sum + each, 0),
    });
  await Promise.all(
    record.files.map((file) =>
      limit(async () => {
        await work(file, (bytes) => {
          underWay.set(file.path, bytes);
          tell();
        });
        underWay.delete(file.path);
        doneFiles += 1;
        doneBytes += file.bytes;
        tell();
      }),
    ),
  );
}
