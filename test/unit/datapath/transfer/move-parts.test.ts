/** What is kept of the parts that were moved: as much as the target asks for, however many there are. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { engineOf } from '../../../../datapath/transfer/copy.ts';
import { crc32cOf } from '../../../../datapath/transfer/crc32c.ts';
import { BLOCK_BYTES, type EntryWriter, type PartReceipt } from '../../../../datapath/transfer/endpoint.ts';
import { moveParts } from '../../../../datapath/transfer/move-parts.ts';
import { memoryEndpoint } from '../../../support/memory-endpoint.ts';

const content = Buffer.alloc(9 * BLOCK_BYTES + 7, 'one penstock after the other ');

async function moved(change: (receipt: PartReceipt) => PartReceipt): Promise<PartReceipt[]> {
  const [source, target] = [memoryEndpoint({ large: content }), memoryEndpoint()];
  const entry = await source.stat('large');
  assert.ok(entry);
  const written = await target.create(entry, { attempt: '1' });
  const writer: EntryWriter = { ...written, writePart: async (...part) => change(await written.writePart(...part)) };
  return await moveParts({ ...engineOf({ concurrency: 1 }), onBytes: () => undefined }, await source.open(entry), writer, { from: 1, to: 10 });
}

describe('the receipts of the parts of an entry', () => {
  it('are one where the target names no part: a file of terabytes has millions', async () => {
    const range = content.subarray(BLOCK_BYTES);
    assert.deepEqual(await moved((receipt) => receipt), [{ number: 1, bytes: range.length, crc32c: crc32cOf(range) }]);
  });

  it('tell no checksum of the whole where one of them tells none', async () => {
    const receipts = await moved((receipt) => (receipt.number === 4 ? { ...receipt, crc32c: undefined } : receipt));
    assert.deepEqual(receipts, [{ number: 1, bytes: content.length - BLOCK_BYTES, crc32c: undefined }]);
  });

  it('are as many as the parts where the target asks for each by its name, in order', async () => {
    const receipts = await moved((receipt) => ({ ...receipt, etag: `e${receipt.number}` }));
    assert.deepEqual(
      receipts.map(({ number, etag }) => [number, etag]),
      [1, 2, 3, 4, 5, 6, 7, 8, 9].map((number) => [number, `e${number}`]),
    );
  });
});
