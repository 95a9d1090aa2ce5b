/** What a download asks of a store: whole objects come in one request without a range, for a gateway gives only whole files to the kernel to send. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, it } from 'node:test';
import { createObjectEndpoint } from '../../datapath/transfer/object-endpoint.ts';
import { createS3ObjectStore } from '../../drivers/object-store/s3.ts';
import { startFaultProxy } from '../support/fault-proxy.ts';
import { contentOf } from '../support/fault-proxy-random.ts';
import { copy, fill, type Places, startPlaces } from '../support/transfer-places.ts';

const MIB = 2 ** 20;
const STREAMED_PART_BYTES = 16 * MIB;

let places: Places;
before(async () => {
  places = await startPlaces();
});
after(() => places.stop());

for (const { bytes, ranges } of [
  { bytes: 4096, ranges: [''] },
  { bytes: 20 * MIB + 1, ranges: [''] },
  { bytes: 64 * MIB, ranges: [''] },
  { bytes: 64 * MIB + 1, ranges: rangesOf(64 * MIB + 1) },
]) {
  it(`${bytes} bytes come in ${ranges.length === 1 ? 'one request, without a range' : `${ranges.length} ranges`}`, async () => {
    const [source, target] = [places.place('object'), places.place('file')];
    assert.ok(source.objects);
    const { options, bucket, prefix } = source.objects;
    const content = contentOf(bytes, 'requests');
    const entries = await fill(source.endpoint, { it: content });
    const proxy = await startFaultProxy({ target: options.endpoint, seed: 1, plan: { rules: [] } });
    try {
      const watched = createObjectEndpoint(createS3ObjectStore({ ...options, endpoint: proxy.endpoint }), bucket, prefix);
      const { failed } = await copy({ ...source, endpoint: watched }, target, entries);
      assert.deepEqual(failed, []);
      const asked = proxy.journal.map(({ identity }) => identity).filter((identity) => identity.startsWith('GET '));
      assert.deepEqual(asked.map((identity) => /bytes=\d+-\d+/.exec(identity)?.[0] ?? '').sort(), [...ranges].sort());
    } finally {
      await proxy.stop();
    }
    assert.ok(content.equals(await readFile(join(target.onDisk, 'it'))));
  });
}

function rangesOf(bytes: number): string[] {
  return Array.from({ length: Math.ceil(bytes / STREAMED_PART_BYTES) }, (_, part) => {
    const start = part * STREAMED_PART_BYTES;
    return `bytes=${start}-${Math.min(bytes, start + STREAMED_PART_BYTES) - 1}`;
  });
}
