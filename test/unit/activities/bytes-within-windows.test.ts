/**
 * Whatever moves bytes over a fabric moves them within its window: of a window a crack wide one slice passes and no more, however long it takes; and what it holds back is
 * counted by the limiter's own ledger, which its renewals tell. No clock decides.
 */
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { createCheckpointActivities } from '../../../activities/checkpoint.ts';
import { createRepairActivities } from '../../../activities/repair.ts';
import { planQueue, queueRepair } from '../../../activities/repair-queue.ts';
import { createScrubActivities } from '../../../activities/scrub.ts';
import { createStagingActivities } from '../../../activities/staging.ts';
import { createTransferActivities } from '../../../activities/transfer.ts';
import { commitCopies } from '../../../datapath/checkpoint/commit.ts';
import { shardPrefix } from '../../../datapath/erasure/layout.ts';
import { createPosixFileStore } from '../../../drivers/file-store/posix.ts';
import type { Stores } from '../../../drivers/open-site.ts';
import type { RackStore } from '../../../drivers/rack-store/port.ts';
import { type CheckpointKey, checkpointDirectory } from '../../../model/checkpoint.ts';
import { SiteFabricSchema } from '../../../model/fabric.ts';
import { newScrub } from '../../../model/scrub.ts';
import { startTestGateway, type TestGateway } from '../../support/s3-gateway.ts';
import { type ToldBroker, toldBroker } from '../../support/told-broker.ts';
import { eventually } from '../../support/wait.ts';
import { memorySite, noise, write } from '../datapath/erasure/support.ts';
import { recordsInMemory } from './records-in-memory.ts';

/** Bytes per second: of such a window one slice passes, and the next one in a day. */
const CRACK = 1;
/** Renewals in which nothing more may pass: half a second, in which all of it would, were it not held. */
const RENEWALS = 5;
/** At most this part of it is a slice, headers, and what an activity reads to know its work. */
const SLICE_PART = 0.2;
/** Seconds that all of it takes in the window after that, so that renewals come in the midst of it. */
const SECONDS = 0.5;
/** Of an object, and of a file. */
const BYTES = 250_000;
const NUMBERS = Array.from({ length: 8 }, (_, index) => index);
const KEYS = NUMBERS.map((index) => `tenant/project/a1/object-${index}`);
const CHECKPOINT: CheckpointKey = { tenant: 'acme', project: 'vision', allocationId: 'train', checkpointId: 'step-1' };
const IN_RACK = { ...CHECKPOINT, nodeId: 'n001', rackId: 'r01' };

const run = <Request, Answer>({ environment }: ToldBroker, activity: (request: Request) => Promise<Answer>, request: Request): Promise<Answer> =>
  environment.run(activity, request);

describe('bytes within a window', { concurrency: false }, () => {
  let gateway: TestGateway;
  let base: string;
  let stores: Stores;
  let readBytes = 0;
  let storedBytes = 0;

  before(async () => {
    gateway = await startTestGateway();
    base = await mkdtemp(join(tmpdir(), 'penstock-windows-'));
    stores = await storesIn(base, gateway);
    await stores.warm.ensureBucket('data');
    for (const number of NUMBERS) await stores.warm.writeBytes('data', `set/file-${number}`, noise(BYTES, number));
  });
  after(async () => {
    await gateway.stop();
    await rm(base, { recursive: true, force: true });
  });

  /** Memory racks that count what is read and stored, directories, and a real gateway for what is warm. */
  async function storesIn(directory: string, { store: warm }: TestGateway): Promise<Stores> {
    const { stores: silent } = await recordsInMemory();
    for (const name of ['hot', 'r01', 'n001']) await mkdir(join(directory, name));
    const files = (name: string) => createPosixFileStore({ name, root: join(directory, name) });
    const front = SiteFabricSchema.parse({ capacity: '1GB/s', stages: true, scrubs: true, drains: ['r01'] });
    return {
      ...silent,
      site: { ...silent.site, fabrics: { front } },
      warm,
      hotFiles: files('hot'),
      shardRacks: memorySite().map(counted),
      rackFiles: files,
      nodeFiles: files,
    };
  }
  const counted = (rack: RackStore): RackStore => ({
    ...rack,
    async readInto(key, into, options) {
      const read = await rack.readInto(key, into, options);
      readBytes += read.bytes;
      return read;
    },
    async writeShard(key, shard) {
      await rack.writeShard(key, shard);
      storedBytes += shard.bytes;
    },
  });

  interface Moved<Request, Answer> {
    /** All that it has to move. */
    readonly bytes: number;
    readonly passed: () => number | Promise<number>;
    readonly activity: (request: Request) => Promise<Answer>;
    readonly request: Request;
  }

  /** First in a window a crack wide, then in one that lets all of it pass in half a second. @returns the answer, and what the broker was asked */
  async function throughCrack<Request, Answer>({ bytes, passed, activity, request }: Moved<Request, Answer>): Promise<{ answer: Answer; broker: ToldBroker }> {
    const broker = toldBroker(CRACK);
    let isOver = false;
    const begun = run(broker, activity, request).finally(() => {
      isOver = true;
    });
    // Whoever awaits it hears of it.
    begun.catch(() => undefined);
    await eventually('renewals', () => isOver || broker.renewed.length >= RENEWALS || undefined);
    if (isOver) assert.fail(`it ended within a window a crack wide: ${JSON.stringify(await begun)}`);
    const before = await passed();
    assert.ok(before <= SLICE_PART * bytes, `${before} of ${bytes} bytes passed a window a crack wide`);
    broker.bytesPerSecond = Math.ceil(bytes / SECONDS);
    const answer = await begun;
    assert.equal(broker.released.length, 1, 'the window is given back');
    return { answer, broker };
  }
  /** What passes in more than one piece is counted on its way, as renewals tell. */
  function assertCounted({ reserved: [asked], renewed }: ToldBroker, bytes: number): void {
    const counted = (asked?.bytes ?? 0) - (renewed.at(-1)?.remainingBytes ?? asked?.bytes ?? 0);
    assert.ok(counted >= bytes / 2, `${counted} of ${bytes} bytes were counted before the last renewal`);
  }

  const bytesBelow = async (directory: string): Promise<number> => {
    const entries = await readdir(directory, { recursive: true, withFileTypes: true }).catch(() => []);
    const sizes = await Promise.all(entries.map(async (entry) => (entry.isFile() ? (await stat(join(entry.parentPath, entry.name))).size : 0)));
    return sizes.reduce((sum, size) => sum + size, 0);
  };

  it('are those of staging, whose unit goes from object storage to the hot tier', async () => {
    const activities = createTransferActivities(stores);
    const source = { store: 'warm', bucket: 'data', prefix: 'set/' };
    const target = { store: 'hot', bucket: 'data', prefix: 'set/' };
    const manifest = await run(toldBroker(0), activities.listTransfer, { name: 'transfers/staged', source, exclude: [] });
    const request = { manifest, source, target, lane: 'staging' as const, replace: true };
    const tree = join(base, 'hot', 'data');
    const { answer, broker } = await throughCrack({
      bytes: NUMBERS.length * BYTES,
      passed: () => bytesBelow(tree),
      activity: activities.moveWhole,
      request,
    });
    assert.deepEqual([answer.files, answer.failedCount, broker.reserved[0]?.class], [NUMBERS.length, 0, 'stage']);
    assertCounted(broker, NUMBERS.length * BYTES);
    for (const number of NUMBERS) assert.ok((await readFile(join(tree, `set/file-${number}`))).equals(noise(BYTES, number)));
  });

  it('are those of a recall: the tier is asked for it once there is a window, at the rate that the window is for', async () => {
    const asked: number[] = [];
    const hot: Stores['hot'] = {
      ...stores.hot,
      prefetch: (request) => {
        asked.push(request.bytesPerSecond ?? Number.POSITIVE_INFINITY);
        return stores.hot.prefetch(request);
      },
    };
    const broker = toldBroker(0);
    const { recall } = createStagingActivities({ ...stores, hot });
    const request = { ...CHECKPOINT, mountIndex: 0, path: '/home/ada', files: 1, bytes: BYTES, allocation: 'allocation/acme/vision/train' };
    const recalled = run(broker, recall, request);
    await eventually('renewals', () => broker.renewed.length >= RENEWALS || undefined);
    assert.deepEqual(asked, []);
    const [wish] = broker.reserved;
    broker.bytesPerSecond = wish?.leastUsefulRate ?? 0;
    await recalled;
    assert.deepEqual([asked, wish?.class], [[wish?.mostUsefulRate], 'stage']);
  });

  it('are those of a scrub, which reads every shard', async () => {
    for (const [index, key] of KEYS.entries()) await write(stores.shardRacks, key, noise(BYTES, index));
    const bytes = storedBytes;
    readBytes = 0;
    const { scrubSegment } = createScrubActivities(stores, () => Promise.resolve());
    const progress = newScrub('id', '2026-11-21T08:00:00.000Z', undefined);
    const { answer, broker } = await throughCrack({
      bytes,
      passed: () => readBytes,
      activity: scrubSegment,
      request: { progress, seconds: 60 },
    });
    assert.deepEqual([answer.state, answer.objects, broker.reserved[0]?.class], ['complete', KEYS.length, 'scrub']);
    assertCounted(broker, bytes);
  });

  it('are those of a repair, which reads what it rebuilds from', async () => {
    const rack = stores.shardRacks[0];
    assert.ok(rack);
    const lost: string[] = [];
    for (const key of KEYS) {
      const { keys } = await rack.list(shardPrefix(key));
      for (const name of keys) await rack.remove(name);
      if (keys.length > 0) lost.push(key);
    }
    assert.ok(lost.length > 2, `${lost.length} objects had a shard on it`);
    for (const key of lost) await queueRepair(stores, { key, margin: 3, storedBytes: Math.ceil((BYTES * 18) / 14), suspects: [] });
    const { names } = await planQueue(stores, 10, new AbortController().signal);
    readBytes = 0;
    const { answer, broker } = await throughCrack({
      bytes: lost.length * BYTES,
      passed: () => readBytes,
      activity: createRepairActivities(stores).repairUnit,
      request: { names, lanes: 1 },
    });
    assert.deepEqual([answer.repairedObjects, broker.reserved[0]?.class], [lost.length, 'scrub']);
    assertCounted(broker, lost.length * BYTES);
  });

  describe('of a checkpoint', () => {
    const directory = checkpointDirectory(CHECKPOINT, CHECKPOINT.checkpointId);
    const bytes = NUMBERS.length * BYTES;
    const drains = () => createCheckpointActivities(stores);
    before(async () => {
      const rack = stores.rackFiles('r01', 'n001');
      for (const number of NUMBERS) await rack.write(`${directory}/rank-${number}`, noise(BYTES, number));
      await commitCopies({ checkpointId: 'step-1', directory, local: rack, rack, attempt: 'one', signal: new AbortController().signal });
      storedBytes = 0;
    });

    it('are those of its drain', async () => {
      const { broker } = await throughCrack({ bytes, passed: () => storedBytes, activity: drains().drainToErasureSet, request: IN_RACK });
      assert.equal(broker.reserved[0]?.class, 'drain');
      assertCounted(broker, bytes);
    });

    it('are those of reading it back before its rack copy goes', async () => {
      readBytes = 0;
      const { broker } = await throughCrack({ bytes, passed: () => readBytes, activity: drains().verifyDrained, request: IN_RACK });
      assert.equal(broker.reserved[0]?.class, 'drain');
    });

    it('are those of its way back to the hot tier, whole or one file of it', async () => {
      const back = join(base, 'hot', 'acme/vision/train/checkpoints/step-1');
      const passed = () => bytesBelow(back);
      const { answer, broker } = await throughCrack({ bytes, passed, activity: drains().restoreFromErasureSet, request: CHECKPOINT });
      assert.deepEqual([answer.files, broker.reserved[0]?.class, broker.reserved[0]?.bytes], [NUMBERS.length, 'checkpoint', bytes]);
      assertCounted(broker, bytes);
      for (const number of NUMBERS) assert.ok((await readFile(join(back, `rank-${number}`))).equals(noise(BYTES, number)));
      await rm(back, { recursive: true });
      const one = { ...CHECKPOINT, file: 'rank-3' };
      const alone = await throughCrack({ bytes: BYTES, passed, activity: drains().restoreFromErasureSet, request: one });
      assert.deepEqual([alone.answer.files, alone.broker.reserved[0]?.bytes], [1, BYTES]);
    });
  });
});
