/** A checkpoint in the node's own ring. */
import { randomBytes } from 'node:crypto';
import type { CheckpointRecord } from '../../model/checkpoint-record.ts';
import { PenstockError } from '../../model/errors.ts';
import { crc32c } from '../native/crc32c.ts';
import type { Ring } from './ring.ts';
import type { RingDevice } from './ring-device.ts';
import { BLOCK_BYTES, CHUNK_BYTES, recordBytes } from './ring-format.ts';
import type { CheckpointSink } from './sink.ts';

/** @param key `tenant/project/allocation/checkpoint` */
export function createRingSink(ring: Ring, device: Pick<RingDevice, 'allocate'>, key: string): CheckpointSink {
  const writeId = randomBytes(16).toString('hex');
  return {
    name: `ring ${ring.name}`,
    durability: () => ring.durability,
    write: ({ path, offset, bytes, crc32c: sum, block }) => ring.append({ kind: 'chunk', writeId, key, path, fileOffset: offset, bytes, crc32c: sum, block }),
    accept: (record) => {
      const bytes = Buffer.byteLength(JSON.stringify(record));
      if (bytes <= CHUNK_BYTES) return;
      throw new PenstockError(
        'InvalidInput',
        `files: found ${record.files.length}, whose record takes ${bytes} bytes; accepted: a record of at most ${CHUNK_BYTES}.`,
        {
          store: ring.name,
          nextStep: 'Write fewer, larger files to a checkpoint.',
        },
      );
    },
    async publish(record) {
      await appendCommit(ring, device, { key, writeId, record });
      return record;
    },
    // Nothing to take back: where the record could not be written, there is none.
    retract: () => Promise.resolve(),
    close: () => ring.close(),
  };
}

export async function appendCommit(
  ring: Ring,
  device: Pick<RingDevice, 'allocate'>,
  { key, writeId, record }: { readonly key: string; readonly writeId: string; readonly record: CheckpointRecord },
): Promise<void> {
  const payload = Buffer.from(JSON.stringify(record));
  const block = await device.allocate(recordBytes(payload.length));
  block.fill(0, BLOCK_BYTES);
  payload.copy(block, BLOCK_BYTES);
  await ring.append({ kind: 'commit', writeId, key, path: '', fileOffset: 0, bytes: payload.length, crc32c: crc32c(payload), block });
}
