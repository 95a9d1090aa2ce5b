/** A body in blocks, on its one way to the store: by the raw path, or by the SDK where nothing has been drawn yet. */
import { Readable } from 'node:stream';
import { PenstockError } from '../../model/errors.ts';
import type { PartBody } from './port.ts';
import { label, type S3Store, type S3Target } from './s3-target.ts';

export async function sendBlocks<T>(
  store: S3Store,
  subject: Pick<S3Target, 'bucket' | 'key'>,
  body: PartBody,
  raw: (body: PartBody) => Promise<T>,
  sdk: (content: Readable) => Promise<T>,
): Promise<T> {
  let isDrawn = false;
  const blocks = {
    [Symbol.asyncIterator]() {
      isDrawn = true;
      return body.blocks[Symbol.asyncIterator]();
    },
  };
  return store.raw.orElse(
    () => raw({ ...body, blocks }),
    () => {
      if (isDrawn) throw new PenstockError('StoreUnavailable', `${label(subject)} was answered unusually.`, { store: store.store });
      // The SDK reads ahead; a block is its giver's again as soon as the next one is asked for.
      return sdk(Readable.from(copies({ ...body, blocks }), { objectMode: false }));
    },
  );
}

async function* copies({ blocks, crc32c }: PartBody): AsyncGenerator<Buffer> {
  for await (const block of blocks) yield Buffer.from(block);
  // The giver may still refuse the whole.
  await crc32c?.();
}
