/** What is told where a name is taken by other content: what lies there, and what can be done. */
import assert from 'node:assert/strict';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { copy, fill, type Kind, kinds, listPages, type Place, type Places, startPlaces } from '../support/transfer-places.ts';

let places: Places;

before(async () => {
  places = await startPlaces();
});
after(() => places.stop());

const NEXT_STEP = 'Start it with `replace` (--replace) to replace it, or move to another place.';

/** The one failure of a transfer of `content` to where `held` lies. */
async function refused(from: Kind, target: Place, content: string): Promise<string> {
  const source = places.place(from);
  const { done, failed } = await copy(source, target, await fill(source.endpoint, { k: content }));
  assert.deepEqual([done, failed.map(({ path, type }) => [path, type])], [[], [['k', 'Conflict']]]);
  return failed[0]?.message ?? '';
}

const labelIn = ({ objects, onDisk }: Place): string =>
  objects ? `${objects.store.name}: s3://${objects.bucket}/${objects.prefix}k` : `scratch: ${JSON.stringify(`${onDisk.split('/').at(-1)}/k`)}`;

describe('other content under the name of an entry', () => {
  for (const kind of kinds) {
    for (const from of ['object', 'file'] as const) {
      it(`is told with both sizes, or what differs, from ${from} to ${kind}`, async () => {
        const target = places.place(kind);
        await fill(target.endpoint, { k: 'old' });
        assert.equal(await refused(from, target, 'newer'), `${labelIn(target)} lies there with other content (3 bytes, here 5). ${NEXT_STEP}`);
        assert.equal(await refused(from, target, 'new'), `${labelIn(target)} lies there with other content (both 3 bytes, other CRC32C). ${NEXT_STEP}`);
        const source = places.place(from);
        const { failed } = await copy(source, target, await fill(source.endpoint, { k: 'newer' }), { replace: true });
        assert.deepEqual(failed, []);
      });
    }
  }

  it('is told as rotten where its own checksum denies it', async () => {
    const target = places.place('object');
    assert.ok(target.objects);
    const { options, bucket, prefix } = target.objects;
    const client = new S3Client({ ...options, forcePathStyle: true });
    await client.send(new PutObjectCommand({ Bucket: bucket, Key: `${prefix}k`, Body: 'new', ChecksumAlgorithm: 'SHA256' }));
    client.destroy();
    const file = await open(join(target.onDisk, 'k'), 'r+');
    await file.write('odd');
    await file.close();
    assert.equal(await refused('file', target, 'new'), `${labelIn(target)} lies there with other content (both 3 bytes, rotten there). ${NEXT_STEP}`);
  });

  it('is not taken for a file that would have to be a directory too, though the list has such names', async () => {
    const [source, target] = [places.place('file'), places.place('object')];
    await fill(target.endpoint, { k: 'old' });
    const listed = await fill(source.endpoint, { k: 'newer' });
    const { failed } = await copy(source, target, [...listed, ...listed.map((entry) => ({ ...entry, path: 'k/below' }))]);
    assert.ok(failed.find(({ path }) => path === 'k')?.message.includes('lies there with other content (3 bytes, here 5).'));
    assert.deepEqual(
      (await listPages(target.endpoint)).map(({ path }) => path),
      ['k'],
    );
  });
});
