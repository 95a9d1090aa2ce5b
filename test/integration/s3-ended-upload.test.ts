/** An upload that somebody ended is not complete, whatever a real versitygw answers, and what is complete may be completed again. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { crc32cOf } from '../../datapath/transfer/crc32c.ts';
import { startGatewayWithBuckets, type TestGateway } from '../support/s3-gateway.ts';

const body = Buffer.alloc(100_000, 'content of the upload');
const whole = { bytes: body.length, crc32c: crc32cOf(body) };
let gateway: TestGateway;

before(async () => {
  gateway = await startGatewayWithBuckets();
});
after(() => gateway.stop());

describe('an upload in parts', () => {
  it('that was ended is SessionLost, also where another object lies under the name', async () => {
    const { store } = gateway;
    for (const other of [undefined, Buffer.from('other'), Buffer.alloc(body.length, 'as long, and other')]) {
      const key = `ended/${other?.length ?? 'absent'}`;
      const upload = await store.beginUpload('data', key);
      const part = await store.writePart(upload, 1, body);
      if (other) await store.writeBytes('data', key, other);
      await store.abandonUpload(upload);
      for (const ifNoneMatch of [true, false])
        await assert.rejects(store.completeUpload(upload, [part], { ...whole, ifNoneMatch }), { name: 'SessionLost' }, key);
      if (other) assert.ok((await store.readBytes('data', key)).equals(other));
    }
  });

  it('is complete as often as it is asked for', async () => {
    const { store } = gateway;
    const upload = await store.beginUpload('data', 'twice');
    const part = await store.writePart(upload, 1, body);
    const first = await store.completeUpload(upload, [part], whole);
    const again = await store.completeUpload(upload, [part], whole);
    assert.deepEqual([again.etag, again.bytes, again.crc32c], [first.etag, first.bytes, first.crc32c]);
    assert.ok((await store.readBytes('data', 'twice')).equals(body));
  });
});
