import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { it } from 'node:test';
import fc from 'fast-check';
import { checkContent, crc32cOf, crc32cOfStream, createCrc32cMeter } from '../../../../datapath/transfer/crc32c.ts';

it('writes CRC32C as S3 does: the known check value, big-endian, in base64', () => {
  assert.equal(crc32cOf(Buffer.from('123456789')), Buffer.from([0xe3, 0x06, 0x92, 0x83]).toString('base64'));
  assert.equal(crc32cOf(Buffer.alloc(0)), 'AAAAAA==');
});

it('is the same however the bytes are cut', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array()), (pieces) => {
      const meter = createCrc32cMeter();
      for (const piece of pieces) meter.add(piece);
      const whole = Buffer.concat(pieces);
      assert.equal(meter.crc32c(), crc32cOf(whole));
      assert.equal(meter.bytes(), whole.length);
    }),
  );
});

it('lets content pass that is what was expected, and ends no other as if it were whole', async () => {
  const pass = (text: string, expected: { bytes?: number; crc32c?: string }) =>
    crc32cOfStream(checkContent(Readable.from([Buffer.from(text)]), { subject: 'x', store: 'warm', ...expected }).content);
  const crc32c = crc32cOf(Buffer.from('hello'));
  assert.deepEqual(await pass('hello', { bytes: 5, crc32c }), { bytes: 5, crc32c });
  await assert.rejects(pass('jello', { bytes: 5, crc32c }), { name: 'ChecksumMismatch' });
  await assert.rejects(pass('hell', { bytes: 5, crc32c }), { name: 'StoreUnavailable' });
  await assert.rejects(pass('hello!', { bytes: 5, crc32c }), { name: 'SourceChanged' });
});
