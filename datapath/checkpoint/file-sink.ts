/** A checkpoint in a directory tree: each file under its own name at once, which counts only with the record beside it. */
import { createDurableFile, type DurableFile, identityAt } from '../../drivers/file-store/durable-file.ts';
import type { FileStore } from '../../drivers/file-store/port.ts';
import { COMMIT_RECORD } from '../../model/checkpoint.ts';
import { PenstockError } from '../../model/errors.ts';
import { findAddressOf } from '../native/aligned.ts';
import { readCommitRecord, writeRecord } from './commit.ts';
import { BLOCK_BYTES, padded } from './ring-format.ts';
import type { CheckpointChunk, CheckpointSink } from './sink.ts';

export interface FileSinkRequest {
  readonly store: FileStore;
  /** Of the checkpoint, below the store's root. */
  readonly directory: string;
  readonly checkpointId: string;
  /** Distinguishes the temporary names of attempts. */
  readonly attempt: string;
}

/** What a dead attempt left there is removed. @throws PenstockError Conflict where the checkpoint was committed before */
export async function createFileSink({ store, directory, checkpointId, attempt }: FileSinkRequest): Promise<CheckpointSink> {
  if (await readCommitRecord(store, directory)) {
    throw new PenstockError('Conflict', `checkpoint ${checkpointId} was committed before.`, {
      store: store.name,
      nextStep: 'Where its allocation does not know yet, tell it with `penstock allocation checkpoint commit`; else choose another checkpoint id.',
    });
  }
  await store.remove(directory);
  await store.ensureDirectory(directory);
  const mayBeDirect = (await findAddressOf()) !== undefined;
  const files = new Map<string, Promise<Growing>>();
  let durability = 'nothing was written yet';

  async function begin({ path, expectedBytes }: CheckpointChunk): Promise<Growing> {
    const file = await createDurableFile(store, `${directory}/${path}`, { mayBeDirect, expectedBytes });
    durability = file.durability;
    return { file, writtenBytes: 0, totalBytes: undefined, identity: undefined };
  }

  async function write(chunk: CheckpointChunk): Promise<void> {
    const { path, offset, bytes, fileBytes, block } = chunk;
    const known = files.get(path) ?? begin(chunk);
    files.set(path, known);
    const growing = await known;
    await growing.file.write(block.subarray(BLOCK_BYTES, BLOCK_BYTES + padded(bytes)), offset);
    growing.writtenBytes += bytes;
    growing.totalBytes ??= fileBytes;
    // Whichever chunk comes last: they may overtake each other.
    if (growing.writtenBytes === growing.totalBytes) growing.identity = await growing.file.end(growing.totalBytes);
  }

  /** A later attempt would have removed these files and made its own. */
  async function requireOwn(): Promise<void> {
    for (const [path, growing] of files) {
      const { identity } = await growing;
      if (identity !== undefined && (await identityAt(store, `${directory}/${path}`)) === identity) continue;
      throw new PenstockError('Conflict', `${path} of checkpoint ${checkpointId} was replaced by another attempt to write it.`, {
        store: store.name,
        nextStep: 'Leave it to the other attempt, or choose another checkpoint id.',
      });
    }
  }

  return {
    name: store.name,
    durability: () => durability,
    write,
    accept: () => undefined,
    async publish(record) {
      await requireOwn();
      return await writeRecord(store, { directory, attempt, checkpointId }, record);
    },
    retract: () => store.remove(`${directory}/${COMMIT_RECORD}`),
    async close() {
      const opened = await Promise.allSettled(files.values());
      await Promise.allSettled(opened.map(async (each) => each.status === 'fulfilled' && (await each.value.file.close())));
    },
  };
}

interface Growing {
  readonly file: DurableFile;
  writtenBytes: number;
  totalBytes: number | undefined;
  /** Once it is whole. */
  identity: string | undefined;
}
