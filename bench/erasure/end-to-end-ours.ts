/**
 * `node bench/erasure/end-to-end-ours.ts OPERATION RACKS FILE_OR_SIZES [MILLISECONDS]`: our writer and reader as a process of their own, measured as the peer is. RACKS is
 * `file:///directory`, a directory below it per rack, or `http://host:port`, with a bucket per rack and credentials in the environment. Prints a line of JSON each.
 */
import { randomFillSync } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  findErasureObject,
  newWriteId,
  readErasureBlocks,
  removeErasureObject,
  verifyErasureObject,
  writeErasureObject,
} from '../../datapath/erasure/index.ts';
import { shardKey } from '../../datapath/erasure/layout.ts';
import { repairErasureObject } from '../../datapath/erasure/repair.ts';
import { createPosixFileStore } from '../../drivers/file-store/posix.ts';
import { createS3ObjectStore } from '../../drivers/object-store/s3.ts';
import { createDirectoryRack } from '../../drivers/rack-store/directory-rack.ts';
import { createObjectRack } from '../../drivers/rack-store/object-rack.ts';
import type { RackStore } from '../../drivers/rack-store/port.ts';
import { lostRacks, rackNames } from './end-to-end-racks.ts';

const KEY = 'bench/object';

const [operation = '', place = '', subject = '', millisecondsPerSize = ''] = process.argv.slice(2);
const racks = openRacks(place);
print({ startSeconds: process.uptime(), startCpuSeconds: cpuSeconds() });

if (operation === 'drain') await drain(subject);
else if (operation === 'read') await read(KEY, racks);
else if (operation === 'degraded') await read(KEY, await withoutFour());
else if (operation === 'verify') await verify();
else if (operation === 'repair') await repair();
else if (operation === 'sizes') for (const bytes of subject.split(',').map(Number)) await timeSize(bytes);
else throw new Error(`the operations are drain, read, degraded, verify, repair and sizes, not ${JSON.stringify(operation)}`);

function openRacks(at: string): RackStore[] {
  const rooms = (index: number) => `room-${index % 4}`;
  if (at.startsWith('file:')) return rackNames.map((id, index) => createDirectoryRack({ id, room: rooms(index), root: join(fileURLToPath(at), id) }));
  const credentials = { accessKeyId: process.env['AWS_ACCESS_KEY_ID'] ?? '', secretAccessKey: process.env['AWS_SECRET_ACCESS_KEY'] ?? '' };
  const store = createS3ObjectStore({ name: 'racks', endpoint: at, region: process.env['AWS_REGION'] ?? '', credentials });
  return rackNames.map((id, index) => createObjectRack({ id, room: rooms(index), bucket: id, store }));
}

async function drain(path: string): Promise<void> {
  const { size } = await stat(path);
  const file = await createPosixFileStore({ name: 'source', root: dirname(path) }).openFile(basename(path));
  try {
    const { missingShards } = await writeErasureObject({ racks, key: KEY, content: file, bytes: size, writeId: newWriteId() });
    await file.verify();
    print({ bytes: size, missingShards: missingShards.length });
  } finally {
    await file.close();
  }
}

async function read(key: string, from: readonly RackStore[]): Promise<void> {
  let bytes = 0;
  const { blocks } = await readErasureBlocks({ racks: from, key });
  for await (const block of blocks) bytes += block.length;
  print({ bytes });
}

/** Those of the first four data shards: what costs most. */
async function withoutFour(): Promise<RackStore[]> {
  const lost = await lostRacks(racks, KEY);
  return racks.filter(({ id }) => !lost.includes(id));
}

async function verify(): Promise<void> {
  const { manifest, ok } = await verifyErasureObject({ racks, key: KEY });
  if (!ok) throw new Error('the object is not sound');
  print({ bytes: manifest.bytes });
}

/** Four racks have come back empty: each gets its shard again. */
async function repair(): Promise<void> {
  const manifest = await findErasureObject({ racks, key: KEY });
  const lost = await lostRacks(racks, KEY);
  for (const { index, rack } of manifest?.shards ?? []) {
    if (lost.includes(rack)) await racks.find(({ id }) => id === rack)?.remove(shardKey(KEY, manifest?.writeId ?? '', index));
  }
  const started = performance.now();
  const { rebuiltBytes } = await repairErasureObject({ racks, key: KEY });
  print({ bytes: rebuiltBytes, milliseconds: performance.now() - started });
}

/** Written, read and removed again and again, for about so long; once at least. */
async function timeSize(bytes: number): Promise<void> {
  const pool = randomFillSync(Buffer.allocUnsafe(Math.min(bytes, 1 << 20)));
  const content = { read: async (into: Buffer) => void fillFrom(pool, into) };
  let [writes, reads, objects] = [0, 0, 0];
  for (; objects === 0 || writes + reads < Number(millisecondsPerSize); objects++) {
    const key = `bench/sizes/${bytes}/${objects}`;
    const started = performance.now();
    await writeErasureObject({ racks, key, content, bytes, writeId: newWriteId() });
    const written = performance.now();
    const { blocks } = await readErasureBlocks({ racks, key });
    for await (const _block of blocks);
    writes += written - started;
    reads += performance.now() - written;
    await removeErasureObject({ racks, key });
  }
  print({ bytes, objects, writeMilliseconds: writes / objects, readMilliseconds: reads / objects });
}

function fillFrom(pool: Buffer, into: Buffer): void {
  for (let at = 0; at < into.length; at += pool.length) pool.copy(into, at);
}

function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

function print(line: Record<string, number>): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}
