import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  findErasureObject,
  listErasureObjects,
  readErasureObject,
  removeAttempt,
  removeErasureObject,
  verifyErasureObject,
} from '../../../../datapath/erasure/index.ts';
import { shardPrefix } from '../../../../datapath/erasure/layout.ts';
import { PenstockError } from '../../../../model/errors.ts';
import { failAll, impatient, keysOn, memorySite, noise, read, sha256, streamOf, write } from './support.ts';

const KEY = 'tenant/project/a1/checkpoints/c1/model.bin';

describe('an erasure object', () => {
  it('comes back byte for byte at every length around a cell and a stripe', async () => {
    const racks = memorySite();
    const cell = 64;
    for (const bytes of [0, 1, cell - 1, cell, cell + 1, 14 * cell - 1, 14 * cell, 14 * cell + 1, 917_503, 917_504, 917_505]) {
      const data = noise(bytes, bytes);
      const { manifest, outcome, missingShards } = await write(racks, `length/${bytes}`, data);
      assert.deepEqual([outcome, missingShards, manifest.bytes, manifest.sha256, manifest.shards.length], ['written', [], bytes, sha256(data), 18]);
      assert.ok((await read(racks, `length/${bytes}`)).equals(data), `${bytes} bytes`);
    }
  });

  it('comes back over several stripes, with four data shards gone as well', async () => {
    const racks = memorySite();
    for (const bytes of [14 * 1_048_576 - 1, 14 * 1_048_576 + 1, 40_000_000]) {
      const data = noise(bytes, bytes);
      const progress: number[] = [];
      const { manifest } = await write(racks, `large/${bytes}`, data, { onProgress: (done) => progress.push(done) });
      assert.equal(progress.length, manifest.stripes);
      assert.equal(progress.at(-1), bytes);
      assert.ok((await read(racks, `large/${bytes}`)).equals(data));
      const lost = manifest.shards.filter(({ index }) => [0, 5, 9, 13].includes(index)).map(({ rack }) => rack);
      assert.ok(
        (
          await read(
            racks.filter(({ id }) => !lost.includes(id)),
            `large/${bytes}`,
          )
        ).equals(data),
      );
    }
  });

  it('comes back while four racks hang', async () => {
    const racks = memorySite();
    const data = noise(5000);
    const { manifest } = await write(racks, KEY, data);
    const hung = new Set(manifest.shards.slice(0, 4).map(({ rack }) => rack));
    for (const rack of racks) if (hung.has(rack.id)) failAll(rack, 'hang');
    const { content, findings } = await readErasureObject({ racks, key: KEY, patience: impatient });
    const chunks: Buffer[] = [];
    for await (const chunk of content) chunks.push(chunk);
    assert.ok(Buffer.concat(chunks).equals(data));
    assert.deepEqual(new Set(findings.map(({ rack }) => rack)), hung);
  });

  it('is verified shard by shard, parity against data, with its margin', async () => {
    const racks = memorySite();
    await write(racks, KEY, noise(100_000));
    const facts = await verifyErasureObject({ racks, key: KEY });
    assert.deepEqual([facts.ok, facts.digestMatches, facts.manifestCopies, facts.margin], [true, true, 5, 4]);
    assert.deepEqual(
      facts.shards.map(({ state }) => state),
      Array(18).fill('sound'),
    );
  });

  it('is listed, page by page, also with four racks gone', async () => {
    const racks = memorySite();
    const keys = Array.from({ length: 25 }, (_, index) => `list/${String(index).padStart(2, '0')}`);
    for (const key of keys) await write(racks, key, noise(10));
    await write(racks, 'other', noise(10));
    for (const rack of racks.slice(3, 7)) failAll(rack);
    const seen: string[] = [];
    for (let after: string | undefined; ; ) {
      const page = await listErasureObjects({ racks, prefix: 'list/', limit: 4, after });
      seen.push(...page.keys);
      if (page.next === undefined) break;
      after = page.next;
    }
    assert.deepEqual(seen, keys);
    for (const rack of racks.slice(7, 8)) failAll(rack);
    await assert.rejects(listErasureObjects({ racks, prefix: 'list/' }), { name: 'StoreUnavailable' });
  });

  it('is gone after its removal, and what lies below its key is not', async () => {
    const racks = memorySite();
    await write(racks, 'a', noise(100));
    await write(racks, 'a/@b', noise(100, 2));
    assert.deepEqual(await removeErasureObject({ racks, key: 'a' }), { manifests: 5, shards: 18 });
    assert.deepEqual(await removeErasureObject({ racks, key: 'a' }), { manifests: 0, shards: 0 });
    assert.equal(await findErasureObject({ racks, key: 'a' }), undefined);
    await assert.rejects(read(racks, 'a'), { name: 'NotFound' });
    assert.ok((await read(racks, 'a/@b')).equals(noise(100, 2)));
  });

  it('is removed in two calls where a rack was away during the first', async () => {
    const racks = memorySite();
    const { manifest } = await write(racks, KEY, noise(100));
    const away = racks.find(({ id }) => id === manifest.shards[0]?.rack);
    assert.ok(away);
    failAll(away);
    await assert.rejects(
      removeErasureObject({ racks, key: KEY }),
      (error) => error instanceof PenstockError && error.errorClass === 'retryable' && error.message.includes(away.id),
    );
    away.faults.clear();
    await removeErasureObject({ racks, key: KEY, includeAttempts: true });
    assert.deepEqual(keysOn(racks, 'ec/'), []);
  });

  it("keeps what a manifest names when an attempt's leavings are removed", async () => {
    const racks = memorySite();
    const { manifest } = await write(racks, KEY, noise(100));
    assert.deepEqual(await removeAttempt({ racks, key: KEY, writeId: manifest.writeId }), { state: 'kept', shards: 0 });
    const orphan = 'f'.repeat(32);
    racks[0]?.objects.set(`${shardPrefix(KEY)}${orphan}.00`, noise(10));
    assert.deepEqual(await removeAttempt({ racks, key: KEY, writeId: orphan }), { state: 'removed', shards: 1 });
    assert.equal(keysOn(racks, shardPrefix(KEY)).length, 18);
  });

  it('is refused where the content is not as long as announced, and leaves nothing', async () => {
    const racks = memorySite();
    for (const bytes of [999, 1001]) {
      await assert.rejects(write(racks, KEY, noise(1000), { bytes }), { name: 'SourceChanged' });
      assert.deepEqual(keysOn(racks, 'ec/'), []);
    }
  });

  it('round-trips for any length, chunking and four losses', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(fc.nat(3000), fc.nat(200_000)),
        fc.integer({ min: 1, max: 5000 }),
        fc.shuffledSubarray([...Array(20).keys()], { maxLength: 4 }),
        async (bytes, chunk, lost) => {
          const racks = memorySite();
          const data = noise(bytes, bytes);
          await write(racks, KEY, data, { content: streamOf(data, chunk) });
          assert.ok(
            (
              await read(
                racks.filter((_, index) => !lost.includes(index)),
                KEY,
              )
            ).equals(data),
          );
        },
      ),
      { numRuns: 60 },
    );
  });
});
