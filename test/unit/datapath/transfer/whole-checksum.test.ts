/** What was moved is held to what is on record of its source, however it was moved. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import { crc32cOf } from '../../../../datapath/transfer/crc32c.ts';
import type { EntryReader } from '../../../../datapath/transfer/endpoint.ts';
import { FOREIGN_ALGORITHMS, type ForeignChecksum, foreignOf } from '../../../../datapath/transfer/foreign-checksum.ts';
import { readChecksum } from '../../../../datapath/transfer/read-crc32c.ts';
import { causeOf } from '../../../../datapath/transfer/source-failure.ts';
import { wholeChecksum } from '../../../../datapath/transfer/whole-checksum.ts';
import { memoryEndpoint } from '../../../support/memory-endpoint.ts';

const PART = 2 ** 20;
const content = randomBytes(4 * PART + 77);
const source = memoryEndpoint({ x: content });

async function readerWith(foreign: ForeignChecksum): Promise<EntryReader & { reads: number }> {
  const [entry] = (await source.list()).entries;
  assert.ok(entry);
  const base = await source.open(entry);
  const reader = {
    ...base,
    spanBytes: PART,
    reads: 0,
    read(into: Buffer, offset: number) {
      reader.reads += 1;
      return base.read(into, offset);
    },
    recordedForeign: () => Promise.resolve(foreign),
  };
  return reader;
}

const isMismatch = (error: unknown): boolean => {
  const cause = causeOf(error);
  assert.ok(cause instanceof Error);
  return cause.name === 'ChecksumMismatch';
};

describe('an entry with another checksum than CRC32C on record', () => {
  for (const algorithm of FOREIGN_ALGORITHMS) {
    it(`is read in one go over all pieces for its ${algorithm}`, async () => {
      const good = await readerWith({ algorithm, value: await foreignOf(algorithm, content) });
      assert.equal(await readChecksum(good), crc32cOf(content));
      assert.equal(good.reads, 5);
      await assert.rejects(readChecksum(await readerWith({ algorithm, value: await foreignOf(algorithm, Buffer.from('other')) })), isMismatch);
    });

    it(`and ${algorithm}, copied in parts by a service that tells nothing, is read for it`, async () => {
      const receipts = [0, 1].map((number) => ({ number, bytes: content.length / 2, crc32c: undefined, etag: 'e' }));
      const good = await readerWith({ algorithm, value: await foreignOf(algorithm, content) });
      assert.equal(await wholeChecksum({ source }, good, receipts), crc32cOf(content));
      const rotten = await readerWith({ algorithm, value: await foreignOf(algorithm, Buffer.from('other')) });
      await assert.rejects(wholeChecksum({ source }, rotten, receipts), isMismatch);
    });
  }

  it('is held to a second reading where the parts tell nothing of it, and to the record by their combination where they do', async () => {
    const parts = [content.subarray(0, PART), content.subarray(PART)];
    const receipts = parts.map((part, number) => ({ number, bytes: part.length, crc32c: crc32cOf(part) }));
    const record = { algorithm: 'CRC32', value: await foreignOf('CRC32', content) } as const;
    const silent = await readerWith(record);
    assert.equal(await wholeChecksum({ source }, silent, receipts), crc32cOf(content));
    assert.equal(silent.reads, 5);
    const told = await Promise.all(
      receipts.map(async (receipt, index) => ({
        ...receipt,
        foreign: { algorithm: 'CRC32', value: await foreignOf('CRC32', parts[index] ?? content) } as const,
      })),
    );
    const quick = await readerWith(record);
    assert.equal(await wholeChecksum({ source }, quick, told), crc32cOf(content));
    assert.equal(quick.reads, 0);
    const other = parts.toReversed();
    const swapped = other.map((part, number) => ({ number, bytes: part.length, crc32c: crc32cOf(part) }));
    await assert.rejects(wholeChecksum({ source }, await readerWith(record), swapped), isMismatch);
  });
});
