import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { Brokers } from '../../../client/brokers.ts';
import { ReserveSchema } from '../../../model/broker.ts';
import { overviewOf } from '../../../model/broker-overview.ts';
import { answerTo, changed } from '../../../model/broker-planner.ts';
import { newBrokerState } from '../../../model/broker-state.ts';
import { FabricSchema } from '../../../model/fabric.ts';
import { penstock, siteFile, type World } from './support.ts';

let directory: string;
let world: World;
const asked: string[] = [];

before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'penstock-cli-'));
  const file = join(directory, 'site.yaml');
  await writeFile(file, `${await readFile(siteFile, 'utf8')}\nfabrics:\n  storage: { capacity: 400GB/s, drains: [r01] }\n`);
  const fabric = FabricSchema.parse({ capacity: '400GB/s' });
  let state = { ...newBrokerState(fabric, Date.UTC(2026, 10, 21, 8)), opensAtMs: 0 };
  for (const requestId of ['drain/acme/vision/a1/step-1', 'drain/acme/vision/a2/step-7']) {
    const request = ReserveSchema.parse({ requestId, bytes: '8TB', class: 'drain', tenant: 'acme' });
    ({ state } = answerTo(state, { kind: 'reserve', nowMs: state.nowMs, request }));
  }
  state = changed(state, { kind: 'outage', nowMs: state.nowMs, store: 'warm', why: 'connection refused' });
  const answer = (name: string) => (asking: string) => {
    asked.push(`${name} ${asking}`);
    return Promise.resolve(overviewOf(state));
  };
  const never = () => assert.fail('nobody reserves here');
  const brokers: Brokers = { show: answer('show'), pause: answer('pause'), resume: answer('resume'), reserve: never, renew: never, release: never };
  world = { penstock: { brokers }, env: { PENSTOCK_SITE: file } };
});
after(() => rm(directory, { recursive: true }));

test('a broker is shown with what it has given and who waits', async () => {
  const { code, stdout } = await penstock(['broker', 'show', 'storage'], world);
  assert.equal(code, 0);
  assert.match(stdout, /open: 400 GB\/s of 400 GB\/s held/);
  assert.match(stdout, /warm does not answer since 2026-11-21T08:00:00\.000Z; its windows wait until it does: connection refused/);
  assert.match(stdout, /drain +1 +400 GB\/s +2\.0 GB\/s +0 B\/s +1 +2026-11-21T08:00:00\.000Z +16\.0 TB/);
  assert.match(stdout, /tenants[\s\S]*acme +drain +1 +400 GB\/s +2\.0 GB\/s +0 B\/s +1/);
  assert.match(stdout, /holders[\s\S]*step-1[\s\S]*waiting[\s\S]*step-7/);
});

test('it is paused and resumed', async () => {
  asked.length = 0;
  await penstock(['broker', 'pause', 'storage'], world);
  await penstock(['broker', 'resume', 'storage'], world);
  assert.deepEqual(asked, ['pause storage', 'resume storage']);
});

test('a fabric that the site has not is a mistake in the command line', async () => {
  const { code, stderr } = await penstock(['broker', 'show', 'nothing'], world);
  assert.equal(code, 2);
  assert.match(stderr, /fabric: found "nothing"; accepted: storage/);
});
