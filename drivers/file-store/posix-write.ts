/** Writing a file from a stream or a buffer in one call. */
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { bufferOf } from '../../datapath/transfer/crc32c.ts';
import type { FileFacts, FileWriteOptions } from './port.ts';
import { createFileAt } from './posix-create.ts';
import type { PosixUnpublishedFile } from './posix-unpublished.ts';
import type { Writing } from './posix-writing.ts';

/** Each write is a trip through the thread pool: a socket's chunks of 64 KiB are put together to blocks. */
const BLOCK_BYTES = 2 ** 20;

export async function writeFileAt(writing: Writing, path: string, content: Readable | Buffer, options: FileWriteOptions): Promise<FileFacts> {
  const { attempt = 'none', modifiedAt, replace = false, signal } = options;
  try {
    const file = await createFileAt(writing, path, { attempt });
    try {
      const bytes = await fill(file, content, signal);
      return await file.publishNow({ bytes, replace, ...(modifiedAt === undefined ? {} : { modifiedAt }) }, signal);
    } catch (error) {
      await file.abandon().catch(() => undefined);
      throw error;
    }
  } catch (error) {
    if (!Buffer.isBuffer(content)) content.destroy();
    throw error;
  }
}

/** @returns bytes written */
async function fill(file: PosixUnpublishedFile, content: Readable | Buffer, signal: AbortSignal | undefined): Promise<number> {
  if (Buffer.isBuffer(content)) {
    await file.write(content, 0);
    return content.length;
  }
  let bytes = 0;
  await pipeline(
    content,
    async (chunks: AsyncIterable<unknown>) => {
      for await (const block of blocksOf(chunks)) {
        await file.write(block, bytes);
        bytes += block.length;
      }
    },
    signal ? { signal } : {},
  );
  return bytes;
}

async function* blocksOf(chunks: AsyncIterable<unknown>): AsyncGenerator<Buffer, void> {
  let pending: Buffer[] = [];
  let pendingBytes = 0;
  for await (const piece of chunks) {
    const chunk = bufferOf(piece);
    pending.push(chunk);
    pendingBytes += chunk.length;
    if (pendingBytes < BLOCK_BYTES) continue;
    yield Buffer.concat(pending, pendingBytes);
    pending = [];
    pendingBytes = 0;
  }
  if (pendingBytes > 0) yield Buffer.concat(pending, pendingBytes);
}
