/**
 * Transfers over a wire that loses, cuts, delays and flips, by seed: faults on, attempts as an activity's would be repeated, faults off, finish, then what was
 * acknowledged is compared with the disk. `PENSTOCK_FAULT_SEEDS` says how many seeds per pair, `PENSTOCK_FAULT_FIRST_SEED` where they begin.
 */
import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { type CopyResult, copyEntries } from '../../datapath/transfer/copy.ts';
import type { Endpoint } from '../../datapath/transfer/endpoint.ts';
import { createFileEndpoint } from '../../datapath/transfer/file-endpoint.ts';
import { createObjectEndpoint } from '../../datapath/transfer/object-endpoint.ts';
import { createPosixFileStore } from '../../drivers/file-store/posix.ts';
import { createS3ObjectStore } from '../../drivers/object-store/s3.ts';
import { messageOf, PenstockError } from '../../model/errors.ts';
import type { ManifestEntry } from '../../model/manifest.ts';
import { createOracle, type Oracle } from '../support/fault-oracle.ts';
import { type FaultProxy, startFaultProxy } from '../support/fault-proxy.ts';
import { contentOf } from '../support/fault-proxy-random.ts';
import { seededContents, seededPlan } from '../support/fault-weather.ts';
import { startTestGateway, type TestGateway } from '../support/s3-gateway.ts';

const SEEDS = Number(process.env['PENSTOCK_FAULT_SEEDS'] ?? 20);
const FIRST_SEED = Number(process.env['PENSTOCK_FAULT_FIRST_SEED'] ?? 1);
/** Much of a run is waiting: for back-off, and for stalls to be given up. */
const RUNS_AT_ONCE = 8;
const FAULTY_ATTEMPTS = 4;
/** What a stall costs; an activity's time limit or silent heartbeat would end it. */
const ATTEMPT_LIMIT_MS = 2_500;
const CALM_ATTEMPT_LIMIT_MS = 15_000;
/** A cancelled attempt ends its connections and uploads first. */
const GRACE_MS = 3_000;
const BACK_OFF_MS = 20;

type Side = 'file' | 'object';
interface Pair {
  readonly from: Side;
  readonly to: Side;
  /** Both ends are one service, which may copy by itself; else bytes pass here. */
  readonly oneService?: boolean;
}
const pairs: readonly Pair[] = [
  { from: 'file', to: 'object' },
  { from: 'object', to: 'file' },
  { from: 'object', to: 'object' },
  { from: 'object', to: 'object', oneService: true },
];

interface World {
  readonly source: Endpoint;
  readonly target: Endpoint;
  readonly entries: readonly ManifestEntry[];
  readonly oracle: Oracle;
  readonly proxies: readonly FaultProxy[];
}

let gateway: TestGateway;
before(async () => {
  gateway = await startTestGateway();
});
after(() => gateway.stop());

for (const pair of pairs) {
  const title = `${pair.from} to ${pair.to}${pair.oneService ? ' of one service' : ''}`;
  describe(`${SEEDS} faulty transfers from ${title}`, () => {
    test('acknowledge nothing false, show nothing unfinished, end whole and leave nothing behind', async () => {
      const seeds = Array.from({ length: SEEDS }, (_, index) => FIRST_SEED + index).values();
      const met: number[] = [];
      const worker = async (): Promise<void> => {
        // Shared: each worker takes the next.
        for (const seed of seeds) met.push(await runSeed(pair, seed));
      };
      await Promise.all(Array.from({ length: RUNS_AT_ONCE }, worker));
      assert.equal(met.length, SEEDS);
      if (SEEDS >= 10) assert.ok(met.filter((faults) => faults > 0).length > SEEDS / 2, 'most runs met faults');
    });
  });
}

test('an upload that could neither be completed nor ended is swept', async () => {
  const rules = [
    { fault: 'error500', method: 'POST', path: /uploadId=/ },
    { fault: 'error500', method: 'DELETE' },
  ] as const;
  const proxy = await startFaultProxy({ target: gateway.options.endpoint, seed: 1, plan: { rules } });
  try {
    const content = contentOf(70 * 2 ** 20, 'swept');
    const world = await createWorld({ from: 'file', to: 'object' }, 0, [proxy, proxy], new Map([['large', content]]));
    const outcome = await attemptOnce(world, 1, CALM_ATTEMPT_LIMIT_MS);
    assert.ok(outcome instanceof PenstockError && outcome.errorClass === 'retryable', describeOutcome(outcome));
    await world.oracle.verify();
    assert.notDeepEqual(await world.oracle.leftovers(), [], 'this test needs an upload that was left');
    proxy.calm();
    await sweep(world);
    assert.deepEqual(await world.oracle.leftovers(), []);
  } finally {
    await proxy.stop();
  }
});

/** @returns how many faults it met */
async function runSeed(pair: Pair, seed: number): Promise<number> {
  const plan = seededPlan(seed);
  const proxies = await Promise.all([0, 1].map((index) => startFaultProxy({ target: gateway.options.endpoint, seed: 2 * seed + index, plan })));
  const history: string[] = [];
  try {
    const world = await createWorld(pair, seed, proxies);
    const unwatch = world.oracle.watch();
    await transferThrough(world, history);
    await unwatch();
    await sweep(world);
    await world.oracle.verify();
    assert.deepEqual(await world.oracle.leftovers(), [], 'left behind');
  } catch (error) {
    const journals = proxies.map((proxy) => proxy.describe()).join('\n');
    const reason = messageOf(error);
    throw new Error(`seed ${seed} of ${pair.from} to ${pair.to}: ${reason}\n${history.join('\n')}\n${journals}`, { cause: error });
  } finally {
    await Promise.all(proxies.map((proxy) => proxy.stop()));
  }
  return proxies.flatMap(({ journal }) => journal.filter(({ fault }) => fault !== undefined)).length;
}

/** As if a day later. */
const sweep = ({ target }: World): Promise<number> => target.sweep(new Date(Date.now() + 86_400_000).toISOString());

async function createWorld(
  { from, to, oneService = false }: Pair,
  seed: number,
  proxies: readonly FaultProxy[],
  contents: ReadonlyMap<string, Buffer> = seededContents(seed),
): Promise<World> {
  // The same names for the same seed, or requests would not be the same; a bucket each, so that the disk shows one run's leftovers.
  const name = `${from}-${to}${oneService ? '-one' : ''}-${seed}`;
  const [first, second] = proxies.map(({ endpoint }) => createS3ObjectStore({ ...gateway.options, endpoint }));
  assert.ok(first && second);
  const files = (side: string) => createFileEndpoint(createPosixFileStore({ name: 'scratch', root: gateway.directory }), `${side}-${name}`);
  const source = from === 'file' ? files('source') : createObjectEndpoint(first, `source-${name}`, 'set');
  const target = to === 'file' ? files('target') : createObjectEndpoint(oneService ? first : second, `target-${name}`, 'set');
  if (to === 'object') await gateway.store.ensureBucket(`target-${name}`);
  if (from === 'object') await gateway.store.ensureBucket(`source-${name}`);
  for (const [path, content] of contents) {
    if (from === 'object') await gateway.store.writeBytes(`source-${name}`, `set/${path}`, content);
    else await writeBelow(join(gateway.directory, `source-${name}`), path, content);
  }
  const calmSource = from === 'file' ? source : createObjectEndpoint(gateway.store, `source-${name}`, 'set');
  const { entries } = await calmSource.list();
  const expected = to === 'file' ? contents : new Map([...contents].map(([path, content]) => [`set/${path}`, content]));
  const onDisk = to === 'file' ? join(gateway.directory, `target-${name}`) : join(gateway.root, `target-${name}`);
  return { source, target, entries, oracle: createOracle(onDisk, expected), proxies };
}

async function writeBelow(root: string, path: string, content: Buffer): Promise<void> {
  await mkdir(dirname(join(root, path)), { recursive: true });
  await writeFile(join(root, path), content);
}

async function transferThrough(world: World, history: string[]): Promise<void> {
  for (let attempt = 1; attempt <= FAULTY_ATTEMPTS; attempt += 1) {
    const outcome = await attemptOnce(world, attempt, ATTEMPT_LIMIT_MS);
    history.push(`attempt ${attempt}: ${describeOutcome(outcome)}`);
    if (outcome instanceof Error) assert.ok(mayBeTriedAgain(outcome), `an error that no fault of the wire explains: ${outcome.stack}`);
    else if (outcome.done.length === world.entries.length) break;
    else assert.deepEqual(accusations(outcome), [], 'entries given up that nothing is wrong with');
    await pause(BACK_OFF_MS);
  }
  for (const proxy of world.proxies) proxy.calm();
  const outcome = await attemptOnce(world, FAULTY_ATTEMPTS + 1, CALM_ATTEMPT_LIMIT_MS);
  history.push(`calm: ${describeOutcome(outcome)}`);
  if (outcome instanceof Error) throw outcome;
  assert.deepEqual(outcome.failed, []);
  assert.equal(outcome.done.length, world.entries.length);
}

/** As one attempt of an activity: to its end, its error or its time limit. */
async function attemptOnce({ source, target, entries, oracle }: World, attempt: number, limitMs: number): Promise<CopyResult | Error> {
  const signal = AbortSignal.timeout(limitMs);
  const copying = copyEntries({ source, target, entries, attempt: `${attempt}`, concurrency: 3, signal }).catch((error: unknown) =>
    error instanceof Error ? error : new Error(String(error)),
  );
  const outcome = await Promise.race([copying, pause(limitMs + GRACE_MS, new Error('it did not end with its time limit'), { ref: false })]);
  if (!(outcome instanceof Error)) await oracle.acknowledge(outcome.done.map(({ path }) => acknowledgedPath(target, path)));
  return outcome;
}

function describeOutcome(outcome: CopyResult | Error): string {
  if (outcome instanceof Error) return `${outcome.name}: ${outcome.message}`;
  return `${outcome.done.length} done${outcome.failed.map(({ path, type, message }) => `, ${path} ${type} (${message})`).join('')}`;
}

const acknowledgedPath = (target: Endpoint, path: string): string => (target.store === 'scratch' ? path : `set/${path}`);

/** Only bits that were flipped twice in a row look like a source that is rotten. */
function accusations({ failed }: CopyResult): string[] {
  return failed.filter(({ type }) => type !== 'CorruptSource').map(({ path, type, message }) => `${path}: ${type}, ${message}`);
}

/** Times out, is throttled, is cut: all of it is worth another attempt. */
function mayBeTriedAgain(error: Error): boolean {
  if (error instanceof PenstockError) return error.errorClass !== 'fatal';
  return error.name === 'TimeoutError' || error.name === 'AbortError';
}
