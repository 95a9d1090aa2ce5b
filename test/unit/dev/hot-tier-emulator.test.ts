/** What needs a clock that can be turned, or a look at the files: the emulator in this process. */
import assert from 'node:assert/strict';
import { appendFile, mkdir, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import type { EmulatorConfig } from '../../../dev/hot-tier-emulator/config.ts';
import { type RunningEmulator, startHotTierEmulator } from '../../../dev/hot-tier-emulator/emulator.ts';
import type { HotTier } from '../../../drivers/hot-tier/port.ts';
import { createVastContractHotTier } from '../../../drivers/hot-tier/vast-contract.ts';
import { refusesWith } from '../../integration/hot-tier-contract.ts';
import { testConfig, treeAccess } from '../../integration/hot-tier-emulator-process.ts';

const START = Date.parse('2026-11-21T08:00:00Z');
const HOUR = 3_600_000;

describe('the hot tier emulator', () => {
  let directory: string;
  let config: EmulatorConfig;
  let now: number;
  let emulator: RunningEmulator;
  let tier: HotTier;
  const reports: string[] = [];
  const start = async (): Promise<void> => {
    emulator = await startHotTierEmulator(config, { now: () => now, report: (message, error) => void reports.push(`${message} ${String(error)}`) });
    tier = createVastContractHotTier({ name: 'hot', endpoint: emulator.url, token: config.token });
  };
  beforeEach(async () => {
    ({ directory, config } = await testConfig());
    now = START;
    reports.length = 0;
    await start();
  });
  afterEach(async () => {
    await emulator.close();
    await rm(directory, { recursive: true });
    assert.deepEqual(reports, []);
  });

  const auditLines = async (): Promise<string[]> => (await readFile(`${config.stateFile}.audit.jsonl`, 'utf8')).trimEnd().split('\n');
  const at = (milliseconds: number): string => new Date(START + milliseconds).toISOString();
  const exportFor = (owner: string, expiresAt: string) =>
    tier.createExport({
      owner,
      key: 'e',
      path: `/home/${owner}`,
      expiresAt,
      access: 'read-write',
      clients: ['n001'],
      qos: { floorBytesPerSecond: 1000, ceilingBytesPerSecond: 0 },
    });

  test('a floor is free the instant its export expires, even before the sweep', async () => {
    await exportFor('early', at(HOUR));
    await refusesWith('FloorUnavailable', exportFor('late', at(3 * HOUR)));
    now = START + HOUR;
    assert.equal((await exportFor('late', at(3 * HOUR))).owner, 'late');
  });

  test('what expired while the emulator was down is gone when it is up', async () => {
    await treeAccess(config).writeHot('/home/u/file', 'x');
    const { contentPath } = await tier.createSnapshot({ owner: 'u', key: 's', path: '/home/u', expiresAt: at(HOUR) });
    await emulator.close();
    now = START + HOUR;
    await start();
    await assert.rejects(stat(contentPath), { code: 'ENOENT' });
    assert.match((await auditLines()).join('\n'), /"actor":"tier","operation":"snapshots.expire","path":"\/home\/u"/);
  });

  test('a key is free again when what it named has expired', async () => {
    const first = await tier.reserve({ owner: 'u', key: 'k', path: '/a', bytes: 1, expiresAt: at(HOUR) });
    now = START + HOUR;
    const second = await tier.reserve({ owner: 'u', key: 'k', path: '/b', bytes: 2, expiresAt: at(2 * HOUR) });
    assert.notEqual(second.reservationId, first.reservationId);
  });

  test('nothing can be held for longer than 400 days', async () => {
    await refusesWith('InvalidInput', exportFor('forever', at(401 * 24 * HOUR)));
  });

  test('a snapshot that crashed before it was recorded leaves nothing; other names are left alone', async () => {
    await emulator.close();
    for (const name of ['.incoming-snap-1', 'snap-2', 'somebody-elses']) await mkdir(join(config.snapshotsRoot, name));
    await start();
    assert.deepEqual(await readdir(config.snapshotsRoot), ['somebody-elses']);
  });

  test('after a crash, half-recalled files go and files set aside by an eviction are back under their names', async () => {
    await emulator.close();
    const below = join(config.root, 'training-data/deep');
    await mkdir(below, { recursive: true });
    await writeFile(join(below, '.penstock-prefetch-job-1'), 'half');
    await writeFile(join(below, '.penstock-evicted-model'), 'whole');
    await start();
    assert.deepEqual(await readdir(below), ['model']);
    assert.equal(await readFile(join(below, 'model'), 'utf8'), 'whole');
  });

  test('the audit log loses a line that a crash cut, and goes on where it was', async () => {
    await tier.locate('/a');
    await emulator.close();
    await appendFile(`${config.stateFile}.audit.jsonl`, '{"sequence":2,"at":"20');
    await start();
    await tier.locate('/b');
    const entries = await tier.auditLog('/');
    assert.deepEqual(
      entries.map(({ sequence, path }) => [sequence, path]),
      [
        [1, '/a'],
        [2, '/b'],
      ],
    );
  });

  test('an audit log with a missing entry is not gone on with', async () => {
    for (const path of ['/a', '/b', '/c']) await tier.locate(path);
    await emulator.close();
    const [first, , third] = await auditLines();
    await writeFile(`${config.stateFile}.audit.jsonl`, `${first}\n${third}\n`);
    await assert.rejects(start(), /entry 2 .* is missing or damaged/);
  });

  test('a state file that cannot be read stops the start rather than giving everything back', async () => {
    await emulator.close();
    await writeFile(config.stateFile, '{"version":1');
    await assert.rejects(start(), /is not a state file/);
  });

  test('reading the audit log page by page comes to its end, and who read it is recorded', async () => {
    for (let index = 0; index < 600; index++) await tier.locate(`/p/${index}`);
    let after = 0;
    let read = 0;
    for (let page = await tier.auditLog('/', { limit: 7 }); page.length > 0; page = await tier.auditLog('/', { after, limit: 7 })) {
      read += page.length;
      after = page.at(-1)?.sequence ?? after;
    }
    assert.equal(read, 600);
    assert.match((await auditLines()).at(-1) ?? '', /"operation":"audit.query"/);
  });

  test('least recently used goes first, whatever the names are', async () => {
    const tree = treeAccess(config);
    for (const [name, minutes] of [
      ['a', 3],
      ['b', 1],
      ['c', 2],
    ] as const) {
      const content = Buffer.alloc(2_000_000, name);
      await tree.writeOrigin(`/d/${name}`, content);
      await tree.writeHot(`/d/${name}`, content);
      await utimes(join(config.root, 'd', name), START / 1000 + minutes * 60, START / 1000 + minutes * 60);
    }
    await tier.reserve({ owner: 'u', key: 'k', path: '/e', bytes: 6_000_000, expiresAt: at(HOUR) });
    assert.deepEqual(await readdir(join(config.root, 'd')), ['a']);
    const evictions = (await auditLines()).filter((line) => line.includes('files.evict'));
    assert.deepEqual(
      evictions.map((line) => /"path":"(.*?)"/.exec(line)?.[1]),
      ['/d/b', '/d/c'],
    );
  });

  test('a snapshot taken while files are written shows one instant of them, or none', async () => {
    const tree = treeAccess(config);
    let writing = true;
    // Each round writes `left` before `right`, so at no instant is `right` ahead.
    const writer = (async () => {
      for (let round = 1; writing; round++) {
        await tree.writeHot('/live/left', String(round));
        await tree.writeHot('/live/right', String(round));
        if (round % 20 === 0) await new Promise((resolve) => setTimeout(resolve, 60));
      }
    })();
    let taken = 0;
    for (let attempt = 0; attempt < 12; attempt++) {
      const key = `s${attempt}`;
      const snapshot = await tier.createSnapshot({ owner: 'u', key, path: '/live', expiresAt: at(HOUR) }).catch(() => undefined);
      if (!snapshot) continue;
      taken += 1;
      const left = Number(await tree.readContent(snapshot.contentPath, 'left'));
      const right = Number(await tree.readContent(snapshot.contentPath, 'right'));
      assert.ok(right === left || right === left - 1 || left === 0 || right === 0, `left ${left}, right ${right}`);
    }
    writing = false;
    await writer;
    assert.ok(taken > 0, 'a pause in the writing was enough for one');
  });
});
