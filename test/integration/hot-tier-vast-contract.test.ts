/** The contract driver against the emulator as a real process: the port's contract, then what only a process can show. */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { after, before, describe, test } from 'node:test';
import { createVastContractHotTier } from '../../drivers/hot-tier/vast-contract.ts';
import type { ErrorType } from '../../model/errors.ts';
import { listenForHttp, stopServer } from '../support/loopback-server.ts';
import { eventually, hotTierContract, inSeconds, refusesWith } from './hot-tier-contract.ts';
import { type EmulatorProcess, startEmulatorProcess, TOKEN } from './hot-tier-emulator-process.ts';

hotTierContract('vast-contract', startEmulatorProcess);

describe('the hot tier emulator survives kill -9', () => {
  let emulator: EmulatorProcess;
  before(async () => {
    emulator = await startEmulatorProcess();
  });
  after(() => emulator.close());

  test('everything held, and every audit entry, is there afterwards', async () => {
    const { tier } = emulator;
    const held = { owner: 'keeper', path: '/home/keeper', expiresAt: inSeconds(600) };
    const qos = { floorBytesPerSecond: 900, ceilingBytesPerSecond: 0 };
    const made = await tier.createExport({ ...held, key: 'e', access: 'read-write', clients: ['n001'], qos });
    await emulator.writeHot('/home/keeper/file', 'content');
    await tier.createSnapshot({ ...held, key: 's' });
    await tier.reserve({ ...held, key: 'r', bytes: 1000 });
    const before = { holdings: await tier.holdings('keeper'), capacity: await tier.capacity(), audit: await tier.auditLog('/') };
    await emulator.kill();
    await refusesWith('StoreUnavailable', tier.capacity());
    await emulator.restart();
    assert.deepEqual(await tier.holdings('keeper'), before.holdings);
    assert.deepEqual(await tier.capacity(), before.capacity);
    assert.deepEqual((await tier.auditLog('/')).slice(0, before.audit.length), before.audit);
    assert.deepEqual(await tier.createExport({ ...held, key: 'e', access: 'read-write', clients: ['n001'], qos }), made);
    await tier.releaseHoldings('keeper', ['exports', 'snapshots', 'reservations']);
  });

  test('a prefetch under way goes on by itself, and nothing half-copied is ever offered', async () => {
    const { tier } = emulator;
    for (const name of ['a', 'b', 'c', 'd']) await emulator.writeOrigin(`/training-data/slow/${name}`, Buffer.alloc(50_000, name));
    const job = await tier.prefetch({ owner: 'keeper', key: 'p', path: '/training-data/slow', bytesPerSecond: 100_000 });
    await eventually('a file is recalled', async () => (await tier.prefetchJob(job.jobId)).doneFiles > 0);
    await emulator.kill();
    for (const name of ['a', 'b', 'c', 'd']) {
      const found = await emulator.readHot(`/training-data/slow/${name}`);
      assert.ok(found === undefined || found.length === 50_000, `${name} is whole or absent`);
    }
    await emulator.restart();
    await eventually('the job completes', async () => (await tier.prefetchJob(job.jobId)).state === 'completed');
    const { hotFiles, remoteFiles } = await tier.locate('/training-data/slow');
    assert.deepEqual({ hotFiles, remoteFiles }, { hotFiles: 4, remoteFiles: 0 });
  });

  test('whatever was answered before a kill at any moment is there afterwards', async () => {
    const { tier } = emulator;
    for (let round = 0; round < 3; round++) {
      const answered: string[] = [];
      const asking = Promise.allSettled(
        Array.from({ length: 30 }, async (_, index) => {
          const key = `storm-${round}-${index}`;
          const { reservationId } = await tier.reserve({ owner: 'storm', key, path: `/storm/${key}`, bytes: 1, expiresAt: inSeconds(600) });
          answered.push(reservationId);
        }),
      );
      await eventually('some are answered', async () => answered.length >= 5 + round * 5);
      await emulator.kill();
      await asking;
      await emulator.restart();
      const held = new Set((await tier.holdings('storm')).reservations.map((each) => each.reservationId));
      assert.deepEqual(
        answered.filter((id) => !held.has(id)),
        [],
      );
    }
  });
});

describe('the hot tier emulator at its edge', () => {
  let emulator: EmulatorProcess;
  before(async () => {
    emulator = await startEmulatorProcess();
  });
  after(() => emulator.close());

  test('another token is denied, recorded, and shown to nobody', async () => {
    const wrong = 'not-the-token-of-this-tier';
    const error = await refusesWith('Denied', emulator.clientWith(wrong).locate('/home/secret'));
    assert.ok(!error.message.includes(wrong));
    const [entry] = await emulator.tier.auditLog('/home/secret');
    assert.deepEqual([entry?.actor, entry?.outcome], ['unauthenticated', 'refused']);
  });

  test('validation errors carry the path of each field, and unknown fields are errors', async () => {
    const response = await fetch(`${emulator.url}/exports`, {
      method: 'POST',
      headers: { authorization: `Api-Token ${TOKEN}` },
      body: JSON.stringify({ owner: 'o', qos: { floorBytesPerSecond: -1 }, flor: 1 }),
    });
    assert.equal(response.status, 400);
    const text = await response.text();
    for (const path of ['"key"', '"expiresAt"', '"clients"', '"qos.floorBytesPerSecond"', '"qos.ceilingBytesPerSecond"', '"flor"']) {
      assert.ok(text.includes(`{"path":${path}`), `${path} in ${text}`);
    }
  });

  test('every refusal is JSON with a code: no such call, no JSON, too large', async () => {
    const headers = { authorization: `Api-Token ${TOKEN}` };
    const codeOf = async (path: string, init: RequestInit): Promise<string> => {
      const response = await fetch(`${emulator.url}${path}`, { ...init, headers });
      return `${response.status} ${/"code":"(\w+)"/.exec(await response.text())?.[1]}`;
    };
    assert.equal(await codeOf('/nothing', {}), '404 not_found');
    assert.equal(await codeOf('/exports', { method: 'POST', body: '{' }), '400 invalid_input');
    assert.equal(await codeOf('/exports', { method: 'POST', body: 'x'.repeat(300_000) }), '413 too_large');
    assert.equal(await codeOf('/catalog?path=/a&path=/b', {}), '400 invalid_input');
  });
});

describe('the vast-contract driver maps what a storage API answers', () => {
  const answer = { status: 200, body: '{}' };
  const server = createServer((_request, response) => {
    response.writeHead(answer.status, { location: 'http://127.0.0.1:9/' }).end(answer.body);
  });
  let endpoint = '';
  before(async () => {
    endpoint = await listenForHttp(server);
  });
  after(() => stopServer(server));

  const expected: [number, string, ErrorType][] = [
    [429, '{"code":"limit_reached","message":"slow down"}', 'StoreThrottled'],
    [503, 'upstream gone', 'StoreThrottled'],
    [500, '<html>', 'StoreUnavailable'],
    [502, '', 'StoreUnavailable'],
    [507, '{"code":"insufficient_capacity","message":"full"}', 'OutOfSpace'],
    [409, '{"code":"floor_exceeds_capacity","message":"no"}', 'FloorUnavailable'],
    [409, '{"code":"key_conflict","message":"no"}', 'Conflict'],
    [401, '', 'Denied'],
    [403, '', 'Denied'],
    [404, '', 'NotFound'],
    [400, '{"code":"invalid_input","message":"no"}', 'InvalidInput'],
    [302, '', 'StoreUnavailable'],
    [200, '{"usedBytes":"many"}', 'StoreUnavailable'],
    [200, 'not JSON', 'StoreUnavailable'],
  ];
  for (const [status, body, type] of expected) {
    test(`${status} with ${JSON.stringify(body)} is ${type}`, async () => {
      Object.assign(answer, { status, body });
      await refusesWith(type, createVastContractHotTier({ name: 'hot', endpoint, token: TOKEN }).capacity());
    });
  }

  test("a store's message stays one line", async () => {
    Object.assign(answer, { status: 404, body: JSON.stringify({ code: 'x', message: 'a\r\nb\u001b[2Jc' }) });
    const error = await refusesWith('NotFound', createVastContractHotTier({ name: 'hot', endpoint, token: TOKEN }).capacity());
    assert.doesNotMatch(error.message, /\p{Cc}/u);
  });

  test('an endpoint or token that cannot work is refused at once, without telling the token', () => {
    assert.throws(() => createVastContractHotTier({ name: 'hot', endpoint: 'embedded', token: TOKEN }), /embedded/);
    assert.throws(
      () => createVastContractHotTier({ name: 'hot', endpoint, token: 'secret\n' }),
      (error: Error) => !error.message.includes('secret'),
    );
  });
});
