/** Windows of all classes on a real site: staging, scrub and commits pass their bytes within them, over all allocations and movers together. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { after, before, describe, test } from 'node:test';
import { openCheckpointWriter } from '../../client/checkpoint/index.ts';
import { freePort, LOOPBACK } from '../../dev/site/ports.ts';
import type { BandwidthClass, ReserveInput, Standing } from '../../model/broker.ts';
import type { BrokerOverview } from '../../model/broker-overview.ts';
import { SCRUB_WORKFLOW_ID } from '../../model/scrub.ts';
import { contentOf } from '../support/fault-proxy-random.ts';
import { eventsOf, scheduled } from '../support/histories.ts';
import { allocationInput, datasetFiles, keyOf, NODE, seedDataset, untilPhase } from '../support/scenario.ts';
import { startTestSite, type TestSite } from '../support/site.ts';
import { eventually } from '../support/wait.ts';
import { noise, write } from '../unit/datapath/erasure/support.ts';

const CAPACITY = 10_000_000;
const STAGING = 0.3 * CAPACITY;
/** A limiter lets a tenth of a second pass at once, and a file of the data set. */
const BURST = 0.1 * STAGING + 50_000;
const FILES = 60;
const FILE_BYTES = 50_000;

const PATIENT = { requestMilliseconds: 20_000, stallMilliseconds: 20_000 };

describe('windows of bandwidth', { concurrency: false }, () => {
  let site: TestSite;
  const workers: ChildProcess[] = [];
  before(async () => {
    const every = { capacity: '10MB/s', leaseSeconds: 2 };
    site = await startTestSite({ fabrics: { front: { ...every, stages: true, commits: ['r01'] }, back: { ...every, scrubs: true } } });
    for (const fabric of ['front', 'back'])
      await eventually(`${fabric} to be open`, async () => ((await site.penstock.brokers.show(fabric)).state === 'open' ? true : undefined));
  });
  after(async () => {
    for (const worker of workers) worker.kill('SIGKILL');
    await site.stop();
  });

  function startWorker(role: 'control' | 'data', ...more: string[]): Promise<void> {
    const program = join(import.meta.dirname, '../../workers/main.ts');
    const worker = spawn(process.execPath, [program, '--site', site.running.siteFile, '--role', role, ...more], { stdio: ['ignore', 'pipe', 'ignore'] });
    workers.push(worker);
    return new Promise((resolve, reject) => {
      worker.stdout.on('data', (text: Buffer) => text.includes('ready') && resolve());
      worker.once('exit', (code) => reject(new Error(`the worker ended with ${code}`)));
    });
  }
  const ofClass = ({ classes }: BrokerOverview, kind: BandwidthClass) => {
    const found = classes.find((each) => each.class === kind);
    assert.ok(found);
    return found;
  };
  const submit = (allocationId: string) =>
    site.penstock.submit(allocationInput(allocationId, { data: { mounts: [{ source: `s3://training-data/${allocationId}`, target: '/data' }] } }));

  test('staging of several allocations by several movers has staging’s part of the fabric in all', async () => {
    const ids = ['one', 'two', 'three'];
    for (const id of ids) await seedDataset(site.stores.warm, datasetFiles(FILES, FILE_BYTES, id), 'training-data', `${id}/`);
    await startWorker('data');
    const origin = join(site.directory, 'hot-origin', 'home', 'ada');
    await mkdir(origin, { recursive: true });
    await writeFile(join(origin, 'notes.txt'), 'written years ago');
    const { brokers } = site.penstock;
    await brokers.pause('front');
    for (const id of ids) await submit(id);
    await eventually('all to wait', async () => (ofClass(await brokers.show('front'), 'stage').waiting === ids.length ? true : undefined));
    const began = Date.now();
    await brokers.resume('front');
    let most = 0;
    await eventually('all to be ready', async () => {
      most = Math.max(most, ofClass(await brokers.show('front'), 'stage').bytesPerSecond);
      const states = await Promise.all(ids.map((id) => site.penstock.readiness(keyOf(id))));
      return states.every(({ readiness }) => readiness === 1) ? true : undefined;
    });
    const seconds = (Date.now() - began) / 1000;
    const bytes = ids.length * FILES * FILE_BYTES;
    assert.ok(bytes <= STAGING * seconds + ids.length * BURST, `${bytes} bytes in ${seconds} s`);
    assert.equal(await readFile(join(site.stores.hotFiles.root, 'home', 'ada', 'notes.txt'), 'utf8'), 'written years ago', 'a recall has its window too');
    assert.ok(most > 0 && most <= STAGING, `${most} bytes/s`);
    await eventually('nothing to be held', async () => {
      const { holding, waiting } = ofClass(await brokers.show('front'), 'stage');
      return holding + waiting === 0 ? true : undefined;
    });
  });

  test('staging waits while the fabric is paused, its worker is killed meanwhile, and another attempt ends it', async () => {
    const { brokers } = site.penstock;
    await seedDataset(site.stores.warm, datasetFiles(FILES, FILE_BYTES, 'paused'), 'training-data', 'paused/');
    await brokers.pause('front');
    await submit('paused');
    const [first] = await eventually('staging to wait', async () => {
      const { waiting } = await brokers.show('front');
      return waiting.length > 0 ? waiting : undefined;
    });
    assert.match(first?.requestId ?? '', /^prestage\/acme\/vision\/paused\//);
    assert.equal((await site.penstock.readiness(keyOf('paused'))).readiness, 0);
    for (const worker of workers.splice(0)) worker.kill('SIGKILL');
    await site.running.service('worker-data').kill('SIGKILL');
    await site.running.service('worker-data').restart();
    await brokers.resume('front');
    await eventually('it to be ready', async () => ((await site.penstock.readiness(keyOf('paused'))).readiness === 1 ? true : undefined));
  });

  test('a scrub reads within its window, and nothing where its segment ends before that', async () => {
    const { brokers, erasure } = site.penstock;
    const bytes = 4_000_000;
    for (let number = 0; number < 5; number++)
      await write(site.stores.shardRacks, `tenant/project/a1/object-${number}`, noise(bytes, number), { patience: PATIENT });
    await brokers.pause('back');
    await erasure.scrub.start({ anew: true, segmentSeconds: 2 });
    await eventually('the scrub to wait', async () => (ofClass(await brokers.show('back'), 'scrub').waiting === 1 ? true : undefined));
    await eventually('segments to end in vain', async () =>
      scheduled(await eventsOf(site.temporal, SCRUB_WORKFLOW_ID), 'scrubSegment').length > 2 ? true : undefined,
    );
    assert.equal((await erasure.scrub.status()).progress?.objects, 0);
    const began = Date.now();
    await brokers.resume('back');
    const status = await eventually('the scrub to be over', async () => {
      const found = await erasure.scrub.status();
      return found.running ? undefined : found;
    });
    const seconds = (Date.now() - began) / 1000;
    assert.equal(status.progress?.state, 'complete');
    assert.ok(seconds > (0.8 * 5 * bytes * 18) / 14 / CAPACITY, `${5 * bytes} bytes in ${seconds} s`);
    assert.equal(ofClass(await brokers.show('back'), 'scrub').holding, 0);
  });

  test('a repair waits for its window, and ends within it', async () => {
    const { brokers } = site.penstock;
    const { repair } = site.penstock.erasure;
    await brokers.pause('back');
    await repair.start({ racks: ['r01', 'r02', 'r03'] });
    const [waiting] = await eventually('the repair to wait', async () => {
      const found = (await brokers.show('back')).waiting;
      return found.length > 0 ? found : undefined;
    });
    assert.match(waiting?.requestId ?? '', /^repair\//);
    const before = await repair.status();
    assert.deepEqual([before.running, before.counts.repairedObjects + before.counts.soundObjects], [true, 0]);
    await brokers.resume('back');
    const { counts } = await eventually('the repair to be over', async () => {
      const status = await repair.status();
      return status.running ? undefined : status;
    });
    assert.ok(counts.repairedObjects + counts.soundObjects >= 5, 'each of the five had a shard on one of the three');
    assert.equal(ofClass(await brokers.show('back'), 'scrub').holding, 0);
  });

  test('a node writes its checkpoint within a window, and does not wait for a broker that is gone', async () => {
    const key = keyOf('one');
    await untilPhase(site, key, 'ready');
    await site.penstock.assignNodes(key, { nodes: [NODE] });
    const content = contentOf(6_000_000, 'model');
    const { brokers } = site.penstock;
    const lessorOf = (fabric: string) => ({
      reserve: (request: Parameters<typeof brokers.reserve>[1]) => brokers.reserve(fabric, request),
      renew: (request: Parameters<typeof brokers.renew>[1]) => brokers.renew(fabric, request),
      release: (token: Parameters<typeof brokers.release>[1]) => brokers.release(fabric, token),
    });
    const commit = async (checkpointId: string) => {
      const bandwidth = { lessorOf, bytes: content.length };
      const writer = await openCheckpointWriter(site.stores, {
        key: { ...key, checkpointId },
        nodeId: NODE.nodeId,
        bandwidth,
        signal: AbortSignal.timeout(60_000),
      });
      try {
        await writer.addFile('model.bin', Readable.from([content]));
        return await writer.commit();
      } finally {
        await writer.close();
      }
    };
    assert.equal((await commit('step-1')).withoutWindow, undefined);
    await site.running.service('worker-control').kill('SIGKILL');
    const began = Date.now();
    assert.match((await commit('step-2')).withoutWindow ?? '', /the broker does not answer/);
    // Two seconds of patience, and two at the end in which it is told.
    assert.ok(Date.now() - began < 10_000, `${Date.now() - began} ms`);
  });

  test('Prometheus sees per class and tenant what is reserved, granted, used and waited for', async () => {
    const { brokers } = site.penstock;
    const address = `${LOOPBACK}:${await freePort()}`;
    await startWorker('control', '--metrics', address);
    const told = async (name: string, labels: string): Promise<number | undefined> => {
      const text = await (await fetch(`http://${address}/metrics`)).text();
      const line = text.split('\n').find((each) => each.startsWith(`penstock_broker_${name}{`) && labels.split(' ').every((label) => each.includes(label)));
      return line === undefined ? undefined : Number(line.split(' ').at(-1));
    };
    // The only one now; until it has read what its predecessor left, leases of two seconds go by.
    await eventually('the broker to answer', () => brokers.show('front'));
    const ask = (requestId: string, more: Partial<ReserveInput>) =>
      brokers.reserve('front', { requestId, bytes: '1TB', tenant: 'globex', class: 'inference', ...more });
    const isHeld = (answer: Standing): answer is Extract<Standing, { kind: 'window' | 'queued' }> => answer.kind === 'window' || answer.kind === 'queued';
    const held = [await ask('seen/1', {}), await ask('seen/2', { class: 'drain', earliest: new Date(Date.now() + 3_600_000).toISOString() })];
    const renew = async (): Promise<void> => {
      for (const [index, answer] of held.entries()) {
        assert.ok(isHeld(answer), JSON.stringify(answer));
        held[index] = await brokers.renew('front', answer);
      }
    };
    const inference = 'class="inference" fabric="front" tenant="globex"';
    await eventually('both to be told', async () => {
      await renew();
      const reserved = await told('reserved_bytes_per_second', inference);
      const granted = await told('granted_bytes_per_second', inference);
      const waiting = await told('waiting', 'class="drain" fabric="front" tenant="globex"');
      return granted === CAPACITY && reserved === CAPACITY / 400 && waiting === 1 ? true : undefined;
    });
    await eventually('nothing stale to be left', async () => {
      await brokers.show('front');
      return (await told('granted_bytes_per_second', inference)) === 0 ? true : undefined;
    });
  });
});
