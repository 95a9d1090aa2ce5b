/**
 * `node bench/checkpoint/commit-ours.ts DIRECTORY BYTES DEPTH` writes so many bytes to a ring and to a rack's directory below DIRECTORY, as the commit path does, and prints
 * the time it took and each chunk's. A process of its own, so that its threads and memory are its own.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { createFileSink } from '../../datapath/checkpoint/file-sink.ts';
import { openRing } from '../../datapath/checkpoint/ring.ts';
import { openRingDevice } from '../../datapath/checkpoint/ring-device.ts';
import { BLOCK_BYTES, CHUNK_BYTES, RECORD_BYTES } from '../../datapath/checkpoint/ring-format.ts';
import { createRingSink } from '../../datapath/checkpoint/ring-sink.ts';
import { createSecondCopy } from '../../datapath/checkpoint/second-copy.ts';
import { createCheckpointWriter } from '../../datapath/checkpoint/write-checkpoint.ts';
import { withDeadline } from '../../datapath/checkpoint/write-deadline.ts';
import { allocateAligned } from '../../datapath/native/aligned.ts';
import { fastestCrc32c } from '../../datapath/native/crc32c.ts';
import { createPosixFileStore } from '../../drivers/file-store/posix.ts';

const [directory = '', bytesText = '', depthText = ''] = process.argv.slice(2);
const [bytes, depth] = [Number(bytesText), Number(depthText)];
const STALL_SECONDS = 60;
/** The chunks, and room that a commit record may need. */
const ringBytes = (Math.ceil(bytes / CHUNK_BYTES) + 4) * RECORD_BYTES + 2 * BLOCK_BYTES;

await fastestCrc32c();
const rackRoot = join(directory, 'rack');
await mkdir(rackRoot, { recursive: true });
const device = await openRingDevice({ path: join(directory, 'ring'), bytes: ringBytes, access: 'write' });
const milliseconds: number[] = [];
const rack = createPosixFileStore({ name: 'rack', root: rackRoot });
const writer = createCheckpointWriter({
  checkpointId: 'bench',
  rack: withDeadline(await createFileSink({ store: rack, directory: 'bench', checkpointId: 'bench', attempt: 'bench' }), STALL_SECONDS),
  second: createSecondCopy(withDeadline(createRingSink(await openRing(device), device, 'bench/bench/bench/bench'), STALL_SECONDS)),
  depth,
  allocate: (wanted) => allocateAligned(wanted, BLOCK_BYTES),
  onAcknowledged: (chunk) => milliseconds.push(chunk.milliseconds),
});
const chunk = Buffer.alloc(CHUNK_BYTES, 'penstock');
const began = performance.now();
await writer.addFile('model.bin', content(), bytes);
await writer.commit();
const seconds = (performance.now() - began) / 1000;
await writer.close();
process.stdout.write(JSON.stringify({ seconds, milliseconds }));

async function* content(): AsyncGenerator<Buffer> {
  for (let left = bytes; left > 0; left -= CHUNK_BYTES) yield chunk.subarray(0, Math.min(left, CHUNK_BYTES));
}
