/**
 * How fast the erasure set writes, reads, rebuilds and verifies, on 20 directories of one disk, and the codec alone: one line of JSON each, MB/s of content. Run:
 * `npm run bench -- erasure`, or `node bench/erasure/throughput.ts [MB] [directory]`. Racks on one disk share its bandwidth; a memory file system shows the code.
 */
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { encodeStripe, reconstructStripe } from '../../datapath/erasure/code.ts';
import { newWriteId, readErasureObject, verifyErasureObject, writeErasureObject } from '../../datapath/erasure/index.ts';
import { DATA_SHARDS, TOTAL_SHARDS } from '../../datapath/erasure/layout.ts';
import { createDirectoryRack } from '../../drivers/rack-store/directory-rack.ts';

const megabytes = Number(process.argv[2] ?? 500);
const base = process.argv[3] ?? tmpdir();

benchCodec(65_536);
benchCodec(1_048_576);
await benchObject();

function benchCodec(cellBytes: number): void {
  const slab = new ArrayBuffer(TOTAL_SHARDS * cellBytes);
  randomBytes(DATA_SHARDS * cellBytes).copy(Buffer.from(slab));
  const turns = Math.ceil(3e8 / (DATA_SHARDS * cellBytes));
  const survivors = Array.from({ length: DATA_SHARDS }, (_, index) => index + 4);
  for (const [name, work] of [
    ['encode with CRC32C', () => encodeStripe(slab, cellBytes)],
    ['rebuild 4 with CRC32C', () => reconstructStripe(slab, cellBytes, survivors, [0, 1, 2, 3])],
  ] as const) {
    work();
    const started = performance.now();
    for (let turn = 0; turn < turns; turn++) work();
    report(`${name}, ${cellBytes / 1024} KiB cells, one thread`, turns * DATA_SHARDS * cellBytes, started);
  }
}

async function benchObject(): Promise<void> {
  const root = await mkdtemp(join(base, 'penstock-bench-'));
  try {
    const racks = await Promise.all(
      Array.from({ length: 20 }, async (_, index) => {
        const id = `r${index + 1}`;
        await mkdir(join(root, id));
        return createDirectoryRack({ id, room: `room-${index % 4}`, root: join(root, id) });
      }),
    );
    const bytes = megabytes * 1e6;
    const key = 'bench/object';
    let started = performance.now();
    const { manifest } = await writeErasureObject({ racks, key, bytes, content: Readable.from(noise(bytes), { objectMode: false }), writeId: newWriteId() });
    report('write', bytes, started);
    started = performance.now();
    await drain((await readErasureObject({ racks, key })).content);
    report('read, all racks well', bytes, started);
    started = performance.now();
    const lost = manifest.shards.slice(0, 4).map(({ rack }) => rack);
    await drain((await readErasureObject({ racks: racks.filter(({ id }) => !lost.includes(id)), key })).content);
    report('read, four data shards lost', bytes, started);
    started = performance.now();
    await verifyErasureObject({ racks, key });
    report('verify', bytes, started);
  } finally {
    await rm(root, { recursive: true });
  }
}

function* noise(bytes: number): Generator<Buffer> {
  const block = randomBytes(1_000_003);
  for (let left = bytes; left > 0; left -= block.length) yield block.subarray(0, Math.min(left, block.length));
}

async function drain(content: Readable): Promise<void> {
  for await (const chunk of content) void chunk;
}

function report(name: string, bytes: number, started: number): void {
  process.stdout.write(`${JSON.stringify({ case: name, megabytesPerSecond: bytes / 1000 / (performance.now() - started) })}\n`);
}
