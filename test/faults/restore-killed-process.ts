/** A restore that stands still in the middle of its file, until it is killed: `node restore-killed-process.ts ROOT`, where ROOT is the target's. */
import { Readable } from 'node:stream';
import { restoreFiles } from '../../datapath/checkpoint/restore.ts';
import { newWriteId, writeErasureObject } from '../../datapath/erasure/index.ts';
import { crc32cOf } from '../../datapath/transfer/crc32c.ts';
import { createPosixFileStore } from '../../drivers/file-store/posix.ts';
import { COMMIT_RECORD } from '../../model/checkpoint.ts';
import type { DrainedRecord } from '../../model/drained-record.ts';
import { memorySite, noise } from '../unit/datapath/erasure/support.ts';

const [root = ''] = process.argv.slice(2);
const prefix = 'tenant/project/a1/checkpoints/step-1/';
const content = noise(16_000_000); // two stripes: the first is written while the second is waited for
const committedAt = '2026-03-04T05:06:07.500Z';
const record: DrainedRecord = {
  formatVersion: 1,
  checkpointId: 'step-1',
  committedAt,
  digest: 'of one file',
  bytes: content.length,
  files: [{ path: 'model.bin', bytes: content.length, crc32c: crc32cOf(content) }],
};
const racks = memorySite();
const put = (name: string, body: Buffer) =>
  writeErasureObject({ racks, key: prefix + name, content: Readable.from([body]), bytes: body.length, writeId: newWriteId() });
await put('model.bin', content);
await put(COMMIT_RECORD, Buffer.from(JSON.stringify(record)));

/** The first cell begins behind a header that is shorter, and a cell is longer than header, tables and footer. */
const CELL_BYTES_AT_LEAST = 100_000;
const forEver = new Promise<never>(() => undefined);
const standing = racks.map((rack): typeof rack => ({
  ...rack,
  readInto: (key, into, options = {}) =>
    key.includes('model.bin') && (options.start ?? 0) > CELL_BYTES_AT_LEAST && into.length > CELL_BYTES_AT_LEAST ? forEver : rack.readInto(key, into, options),
}));
await restoreFiles({
  racks: standing,
  prefix,
  signal: new AbortController().signal,
  target: createPosixFileStore({ name: 'hot', root }),
  directory: 'back',
  attempt: 'one',
});
