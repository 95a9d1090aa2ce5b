/** Archiving: what arrives is locked from its first moment, and a repeated attempt locks what lies there without sending it again. */
import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import { copyEntries } from '../../datapath/transfer/copy.ts';
import type { Endpoint } from '../../datapath/transfer/endpoint.ts';
import { createFileEndpoint } from '../../datapath/transfer/file-endpoint.ts';
import { createObjectEndpoint } from '../../datapath/transfer/object-endpoint.ts';
import { createPosixFileStore } from '../../drivers/file-store/posix.ts';
import { startTestGateway, type TestGateway } from '../support/s3-gateway.ts';
import { contentOf, publish } from '../support/transfer-content.ts';

let gateway: TestGateway;
let source: Endpoint;

before(async () => {
  gateway = await startTestGateway('cold');
  await gateway.store.ensureBucket('data');
  await gateway.store.ensureBucket('archive', { objectLock: true });
  source = createObjectEndpoint(gateway.store, 'data', 'set');
  for (const path of ['a', 'b/c']) {
    await publish(source, path, `content of ${path}`);
  }
});
after(() => gateway.stop());

const until = (seconds: number) => ({ mode: 'COMPLIANCE', retainUntil: new Date(Date.now() + seconds * 1000).toISOString() }) as const;
const heldSeconds = async (key: string) => (Date.parse((await gateway.store.retention('archive', key))?.retainUntil ?? '') - Date.now()) / 1000;
const archive = async (target: Endpoint, seconds: number) =>
  copyEntries({ source, target, entries: (await source.list()).entries, attempt: '1', concurrency: 2, retention: until(seconds) });

it('locks what it moves, and extends but never shortens what was moved before', async () => {
  const target = createObjectEndpoint(gateway.store, 'archive', 'kept');
  assert.equal((await archive(target, 3600)).done.length, 2);
  assert.ok((await heldSeconds('kept/b/c')) > 3500);
  const silent: Endpoint = { ...target, create: () => Promise.reject(new Error('nothing is to be sent again')) };
  assert.equal((await archive(silent, 7200)).done.length, 2);
  assert.ok((await heldSeconds('kept/b/c')) > 7100);
  assert.equal((await archive(silent, 60)).done.length, 2);
  assert.ok((await heldSeconds('kept/b/c')) > 7100);
  await assert.rejects(target.remove('a'), { name: 'Denied' });
});

it('locks what an earlier attempt published without its answer being heard', async () => {
  const target = createObjectEndpoint(gateway.store, 'archive', 'late');
  const [entry] = (await source.list()).entries;
  assert.ok(entry);
  const content = await contentOf(source, entry);
  await publish(target, entry.path, content);
  assert.equal(await gateway.store.retention('archive', 'late/a'), undefined);
  await publish(target, entry.path, content, { attempt: '2', retention: until(3600) });
  assert.ok((await heldSeconds('late/a')) > 3500);
});

it('is refused, entry by entry, where the target cannot lock', async () => {
  const unlockable = createObjectEndpoint(gateway.store, 'data', 'copy');
  const files = createFileEndpoint(createPosixFileStore({ name: 'scratch', root: gateway.directory }), 'copy');
  for (const target of [unlockable, files]) {
    const { done, failed } = await archive(target, 3600);
    assert.deepEqual([done.length, failed.map(({ type }) => type)], [0, ['PolicyRefused', 'PolicyRefused']]);
    assert.equal(await target.stat('a'), undefined);
  }
});
