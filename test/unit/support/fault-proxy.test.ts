/** The fault proxy against a small server that remembers what reached it: each fault does what its name says, and the same seed does it again. */
import assert from 'node:assert/strict';
import { Agent, createServer, type IncomingHttpHeaders, request } from 'node:http';
import { after, afterEach, before, describe, test } from 'node:test';
import { type FaultProxy, startFaultProxy } from '../../support/fault-proxy.ts';
import { createPlanner, type FaultKind, type FaultPlan } from '../../support/fault-proxy-plan.ts';
import { contentOf } from '../../support/fault-proxy-random.ts';
import { listenForHttp, stopServer } from '../../support/loopback-server.ts';
import { eventually } from '../../support/wait.ts';

const BODY = contentOf(300_000, 'body');
const ANSWER = contentOf(300_000, 'answer');

interface Seen {
  readonly headers: IncomingHttpHeaders;
  body: Buffer;
  complete: boolean;
}
interface Answer {
  readonly status: number | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  /** Of the connection, where the body did not come whole. */
  readonly error: string | undefined;
}

const seen: Seen[] = [];
const connections = new Set<unknown>();
const server = createServer((incoming, response) => {
  const one: Seen = { headers: incoming.headers, body: Buffer.alloc(0), complete: false };
  seen.push(one);
  connections.add(incoming.socket);
  incoming.on('error', () => undefined);
  incoming.on('data', (chunk: Buffer) => {
    one.body = Buffer.concat([one.body, chunk]);
  });
  incoming.on('end', () => {
    one.complete = true;
    response.setHeader('X-Own', 'kept');
    if (incoming.url === '/chunked') response.write(ANSWER.subarray(0, 1000));
    response.end(incoming.url === '/chunked' ? ANSWER.subarray(1000) : ANSWER);
  });
});
const agent = new Agent({ keepAlive: true, maxSockets: 1 });
let target = '';
let proxy: FaultProxy | undefined;

async function start(plan: FaultPlan, seed = 1): Promise<FaultProxy> {
  proxy = await startFaultProxy({ target, seed, plan });
  return proxy;
}

const always = (fault: FaultKind, at?: number): FaultPlan => ({ rules: [{ fault, ...(at === undefined ? {} : { at }) }] });

/** Rejects with the connection's error where no answer began. */
function send(through: FaultProxy, method: string, path: string, { body, headers = {} }: { body?: Buffer; headers?: Record<string, string> } = {}) {
  return new Promise<Answer>((resolve, reject) => {
    const outgoing = request(`${through.endpoint}${path}`, { method, agent, headers });
    outgoing.once('error', reject);
    outgoing.once('response', (response) => {
      const chunks: Buffer[] = [];
      const settle = (error: string | undefined) => resolve({ status: response.statusCode, headers: response.headers, body: Buffer.concat(chunks), error });
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.once('end', () => settle(undefined));
      // A reset is told to both.
      response.once('error', (error) => settle(error.message));
      outgoing.off('error', reject).once('error', (error) => settle(error.message));
    });
    outgoing.end(body);
  });
}

/** Positions at which two buffers of one length differ. */
const differences = (one: Buffer, other: Buffer): number[] => [...one.keys()].filter((index) => one[index] !== other[index]);

before(async () => {
  target = await listenForHttp(server);
});
after(() => stopServer(server));
afterEach(async () => {
  await proxy?.stop();
  seen.length = 0;
});

describe('a fault proxy', () => {
  test('hands on what it does not break, headers and Host included, over connections kept alive', async () => {
    const through = await start({});
    connections.clear();
    for (const path of ['/whole', '/chunked']) {
      const answer = await send(through, 'PUT', path, { body: BODY, headers: { Host: 'signed.example:9', 'X-Amz-Odd': 'a, b' } });
      assert.equal(answer.status, 200);
      assert.equal(answer.headers['x-own'], 'kept');
      assert.deepEqual(answer.body, ANSWER);
      assert.equal(seen.at(-1)?.headers.host, 'signed.example:9');
      assert.equal(seen.at(-1)?.headers['x-amz-odd'], 'a, b');
      assert.deepEqual(seen.at(-1)?.body, BODY);
    }
    assert.equal((await send(through, 'HEAD', '/head')).body.length, 0);
    await send(through, 'POST', '/post');
    assert.equal(seen.at(-1)?.headers['transfer-encoding'], undefined);
    await send(through, 'PUT', '/expecting', { body: BODY, headers: { Expect: '100-continue', 'Content-Length': `${BODY.length}` } });
    assert.deepEqual(seen.at(-1)?.body, BODY);
    // A connection is free again only just after its answer has arrived.
    assert.ok(connections.size <= 2, `${connections.size} connections`);
    assert.deepEqual(
      through.journal.map(({ identity, fault }) => [identity, fault]),
      ['PUT /whole', 'PUT /chunked', 'HEAD /head', 'POST /post', 'PUT /expecting'].map((identity) => [identity, undefined]),
    );
  });

  const answers = [
    ['error500', 500, 'InternalError'],
    ['slowDown', 503, 'SlowDown'],
    ['tooManyRequests', 429, 'TooManyRequests'],
  ] as const;
  for (const [fault, status, code] of answers) {
    test(`answers ${status} ${code} in S3's words, with and without a length, and nothing reaches the server`, async () => {
      const through = await start(always(fault));
      const lengths = new Set<boolean>();
      for (let turn = 0; turn < 12; turn += 1) {
        const answer = await send(through, 'PUT', '/x', { body: BODY });
        assert.equal(answer.status, status);
        assert.match(answer.body.toString(), new RegExp(`<Error><Code>${code}</Code>`));
        lengths.add(answer.headers['content-length'] !== undefined);
      }
      assert.deepEqual([...lengths].sort(), [false, true]);
      assert.equal((await send(through, 'HEAD', '/x')).status, status);
      assert.equal(seen.length, 0);
    });
  }

  test('delays', async () => {
    const through = await start({ ...always('delay'), delayMs: 60 });
    const begun = performance.now();
    for (let turn = 0; turn < 4; turn += 1) assert.deepEqual((await send(through, 'GET', `/${turn}`)).body, ANSWER);
    assert.ok(performance.now() - begun > 20);
  });

  test('stalls until calm cuts it, and breaks nothing afterwards', async () => {
    const through = await start(always('stall'));
    const stalled = send(through, 'GET', '/x').then(
      () => 'answered',
      (error: Error) => error.message,
    );
    await eventually('the request to be met', () => (through.journal.length === 1 ? true : undefined));
    assert.equal(await Promise.race([stalled, new Promise((resolve) => setTimeout(resolve, 100, 'silence'))]), 'silence');
    through.calm();
    assert.match(await stalled, /ECONNRESET|hang up/);
    assert.equal(seen.length, 0);
    assert.deepEqual((await send(through, 'GET', '/x')).body, ANSWER);
  });

  test('is stopped while something stalls', async () => {
    const through = await start(always('stall'));
    const stalled = assert.rejects(send(through, 'GET', '/x'));
    await eventually('the request to be met', () => (through.journal.length === 1 ? true : undefined));
    await through.stop();
    proxy = undefined;
    await stalled;
  });

  test('resets before the request is passed on', async () => {
    await assert.rejects(send(await start(always('resetBefore')), 'PUT', '/x', { body: BODY }), { code: 'ECONNRESET' });
    assert.equal(seen.length, 0);
  });

  test('resets when the request has taken effect and its answer is lost', async () => {
    const through = await start(always('resetAfter'));
    await assert.rejects(send(through, 'PUT', '/x', { body: BODY }), { code: 'ECONNRESET' });
    assert.deepEqual(
      seen.map(({ body, complete }) => [body.length, complete]),
      [[BODY.length, true]],
    );
    assert.match(through.describe(), /seed 1, plan .*resetAfter.*\n {2}PUT \/x #1: resetAfter, a lost 200/);
  });

  test('resets in the middle of the request', async () => {
    await assert.rejects(send(await start(always('resetInRequest', 0.5)), 'PUT', '/x', { body: BODY }), { code: 'ECONNRESET' });
    assert.deepEqual(
      seen.map(({ body, complete }) => [body.length, complete]),
      [[BODY.length / 2, false]],
    );
  });

  for (const fault of ['resetInAnswer', 'truncateAnswer'] as const) {
    for (const path of ['/whole', '/chunked']) {
      test(`${fault}: the answer of ${path} breaks off in its middle`, async () => {
        const answer = await send(await start(always(fault, path === '/whole' ? 0.5 : 0.9)), 'GET', path);
        assert.equal(answer.status, 200);
        assert.match(answer.error ?? '', /aborted|ECONNRESET/);
        assert.equal(answer.body.length, path === '/whole' ? ANSWER.length / 2 : Math.floor(0.9 * 65_536));
      });
    }
  }

  test('flips one bit of the request, or of the answer', async () => {
    const inRequest = await start(always('flipRequest'));
    assert.deepEqual((await send(inRequest, 'PUT', '/x', { body: BODY })).body, ANSWER);
    const arrived = seen[0]?.body ?? Buffer.alloc(0);
    const [position = -1, ...others] = differences(BODY, arrived);
    assert.deepEqual(others, []);
    assert.ok([1, 2, 4, 8, 16, 32, 64, 128].includes((BODY[position] ?? 0) ^ (arrived[position] ?? 0)));
    await inRequest.stop();
    const { body } = await send(await start(always('flipAnswer', 0.25)), 'GET', '/x');
    assert.deepEqual(differences(ANSWER, body), [ANSWER.length / 4]);
  });

  test('obeys rules by method, path and count before chance', async () => {
    const rules = [{ fault: 'error500', method: 'PUT', path: /partNumber=2/, nth: 2 }] as const;
    const through = await start({ rules });
    const statuses: (number | undefined)[] = [];
    for (const [method, number] of [
      ['PUT', 2],
      ['PUT', 1],
      ['GET', 2],
      ['PUT', 2],
      ['PUT', 2],
    ] as const) {
      statuses.push((await send(through, method, `/x?partNumber=${number}`)).status);
    }
    assert.deepEqual(statuses, [200, 200, 200, 500, 200]);
  });
});

describe('the plan of a fault proxy', () => {
  const plan: FaultPlan = { probabilities: { slowDown: 0.1, flipAnswer: 0.1, resetAfter: 0.1 } };
  const requests = Array.from({ length: 500 }, (_, index) => ({ method: 'GET', path: `/b/k${index % 50}` }));
  const faultsOf = (seed: number, asked: typeof requests) => {
    const decide = createPlanner(seed, plan);
    return new Map(asked.map((one) => decide(one)).map((decision) => [`${decision.identity} ${decision.occurrence}`, decision]));
  };

  test('is the same for the same seed in whatever order requests come, and another for another seed', () => {
    assert.deepEqual(faultsOf(7, requests.toReversed()), new Map([...faultsOf(7, requests.toReversed())]));
    const shuffled = faultsOf(
      7,
      requests.toSorted((one, other) => other.path.localeCompare(one.path)),
    );
    for (const [key, decision] of faultsOf(7, requests)) assert.deepEqual(shuffled.get(key), decision);
    assert.notDeepEqual(faultsOf(8, requests), faultsOf(7, requests));
  });

  test('follows its probabilities', () => {
    const faults = [...faultsOf(3, requests).values()].filter(({ fault }) => fault !== undefined);
    assert.ok(faults.length > 100 && faults.length < 200, `${faults.length} of 500`);
    assert.deepEqual(new Set(faults.map(({ fault }) => fault)), new Set(['slowDown', 'flipAnswer', 'resetAfter']));
    assert.throws(() => createPlanner(1, { probabilities: { stall: 0.6, delay: 0.6 } }), RangeError);
  });

  test('knows a request again though the server gave it another id, and tells ranges apart', () => {
    const decide = createPlanner(1, {});
    const part = (uploadId: string) => decide({ method: 'PUT', path: `/b/k?partNumber=2&uploadId=${uploadId}&x-id=UploadPart` });
    assert.deepEqual([part('a').occurrence, part('b').occurrence], [1, 2]);
    const ranges = ['bytes=0-1', 'bytes=2-3'].map((range) => decide({ method: 'GET', path: '/b/k', range }).occurrence);
    assert.deepEqual(ranges, [1, 1]);
  });
});
