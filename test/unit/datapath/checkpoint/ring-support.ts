/** Rings on simulated disks: records put in, and what a scan finds of them. */
import type { Ring } from '../../../../datapath/checkpoint/ring.ts';
import type { RingDevice } from '../../../../datapath/checkpoint/ring-device.ts';
import { AREA_START, BLOCK_BYTES, recordBytes } from '../../../../datapath/checkpoint/ring-format.ts';
import { scanRing } from '../../../../datapath/checkpoint/ring-scan.ts';
import { crc32c } from '../../../../datapath/native/crc32c.ts';

export const writeIdOf = (number: number): string => number.toString(16).padStart(32, '0');

export async function append(
  ring: Ring,
  device: RingDevice,
  payload: Buffer,
  facts: { key?: string; writeId?: string; path?: string; kind?: 'chunk' | 'commit' } = {},
): Promise<void> {
  const block = await device.allocate(recordBytes(payload.length));
  payload.copy(block, BLOCK_BYTES);
  const { key = 'acme/vision/train/step-1', writeId = writeIdOf(1), path = 'model.bin', kind = 'chunk' } = facts;
  await ring.append({ kind, writeId, key, path, fileOffset: 0, bytes: payload.length, crc32c: crc32c(payload), block });
}

export async function contents(device: RingDevice): Promise<Buffer[]> {
  const scanned = await scanRing(device);
  const found: Buffer[] = [];
  for (const { header, position } of scanned?.entries ?? []) {
    if (!header || header.kind === 'skip') continue;
    const into = await device.allocate(recordBytes(header.bytes));
    await device.read(into, AREA_START + position);
    found.push(into.subarray(BLOCK_BYTES, BLOCK_BYTES + header.bytes));
  }
  return found;
}
