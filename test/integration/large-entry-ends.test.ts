/** What a large entry takes at its target while it is not whole: room once, whoever begins it, and nothing any more where its move does not go on. */
import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { createTransferActivities, type TransferActivities } from '../../activities/transfer.ts';
import { TEMPORARY_PREFIX } from '../../drivers/file-store/contained-path.ts';
import type { FileStore } from '../../drivers/file-store/port.ts';
import type { Location } from '../../model/location.ts';
import type { MoveRequest } from '../../model/transfer.ts';
import { runActivity } from '../support/run-activity.ts';
import { startTestSite, type TestSite } from '../support/site.ts';

const MIB = 2 ** 20;
const content = Buffer.alloc(100 * MIB + 3, 'a large penstock ');
let site: TestSite;
let activities: TransferActivities;

before(async () => {
  site = await startTestSite({ services: ['temporal', 's3', 'hot-tier'], policies: { largeFile: '32MiB' } });
  activities = createTransferActivities(site.stores);
  await site.stores.warm.ensureBucket('data');
});
after(() => site.stop());

const hotPlace = (name: string): Location => ({ store: 'hot', bucket: 'work', prefix: `${name}/` });
const warmPlace = (name: string): Location => ({ store: 'warm', bucket: 'data', prefix: `${name}/` });
const hotFile = (name: string): string => join(site.stores.hotFiles.root, 'work', name, 'big.bin');

async function listed(source: Location, target: Location): Promise<MoveRequest> {
  const manifest = await runActivity(activities.listTransfer, { name: `transfers/${crypto.randomUUID()}`, source, exclude: [] });
  return { manifest, source, target, replace: false };
}
async function fromHot(name: string, target: Location): Promise<MoveRequest> {
  await mkdir(dirname(hotFile(name)), { recursive: true });
  await writeFile(hotFile(name), content);
  return await listed(hotPlace(name), target);
}
async function fromWarm(name: string, target: Location): Promise<MoveRequest> {
  await site.stores.warm.writeBytes('data', `${name}/big.bin`, content);
  return await listed(warmPlace(name), target);
}
const shares = ({ manifest }: MoveRequest): number[] => Array.from({ length: manifest.units ?? 0 }, (_, unit) => unit).slice(1);
const temporaries = async (name: string): Promise<string[]> => (await readdir(dirname(hotFile(name)))).filter((each) => each.startsWith(TEMPORARY_PREFIX));
const inOneHour = (): string => new Date(Date.now() + 3_600_000).toISOString();
/** Counts by ending them. */
const uploads = async ({ prefix }: Location): Promise<number> => (await site.stores.warm.sweep?.('data', prefix, inOneHour())) ?? 0;

describe('a large entry on its way', () => {
  it('has room set aside once, however many begin it at the same time', async () => {
    const request = await fromWarm('room', hotPlace('room'));
    const begun: { bytes: number; onward: boolean }[] = [];
    const lanes = shares(request).length;
    let arrived = 0;
    let open: () => void = () => undefined;
    const allThere = new Promise<void>((resolve) => {
      open = resolve;
    });
    const { hotFiles } = site.stores;
    const measured: FileStore = {
      ...hotFiles,
      async createFile(path, options) {
        const file = await hotFiles.createFile(path, options);
        const { blocks } = await stat(join(dirname(hotFile('room')), `${TEMPORARY_PREFIX}${file.session}`));
        begun.push({ bytes: blocks * 512, onward: options.session !== undefined });
        if (options.session === undefined) {
          arrived += 1;
          if (arrived === lanes) open();
          await allThere;
        }
        return file;
      },
    };
    const lane = createTransferActivities({ ...site.stores, hotFiles: measured });
    await Promise.all(shares(request).map((unit) => runActivity(lane.moveUnit, { ...request, unit })));
    const first = begun.filter(({ onward }) => !onward);
    assert.deepEqual([first.length, first.filter(({ bytes }) => bytes > 0)], [lanes, []], 'nobody takes room before it is agreed whose file it is');
    assert.ok(
      begun.some(({ bytes, onward }) => onward && bytes >= content.length),
      'the one whose file it is takes it before it writes',
    );
    assert.ok((await readFile(hotFile('room'))).equals(content));
    assert.deepEqual(await temporaries('room'), []);
  });
});

describe('a large entry whose move does not go on', () => {
  it('leaves no upload behind', async () => {
    const target = warmPlace('ended');
    const request = await fromHot('ended', target);
    const [first = 0, ...rest] = shares(request);
    await runActivity(activities.moveUnit, { ...request, unit: first });
    assert.deepEqual(await runActivity(activities.abandonMove, request), { ended: 1, left: 0, published: { files: 0, bytes: 0 } });
    assert.equal(await uploads(target), 0);
    // A workflow that is reset goes on with what is on record: the entry is then moved anew.
    for (const unit of [...rest, 0]) await runActivity(activities.moveUnit, { ...request, unit });
    const { files, failedCount } = await runActivity(activities.finishMove, request);
    assert.deepEqual([files, failedCount], [1, 0]);
    assert.ok((await site.stores.warm.readBytes('data', 'ended/big.bin', { limitBytes: 2 ** 30 })).equals(content));
    assert.equal(await uploads(target), 0);
  });

  it('leaves no temporary file behind, and one that is published stays', async () => {
    const request = await fromWarm('ended-file', hotPlace('ended-file'));
    const [first = 0, ...rest] = shares(request);
    await runActivity(activities.moveUnit, { ...request, unit: first });
    assert.equal((await temporaries('ended-file')).length, 1);
    assert.equal((await runActivity(activities.abandonMove, request)).ended, 1);
    assert.deepEqual(await temporaries('ended-file'), []);
    for (const unit of [...rest, 0]) await runActivity(activities.moveUnit, { ...request, unit });
    await runActivity(activities.finishMove, request);
    assert.deepEqual(await runActivity(activities.abandonMove, request), { ended: 0, left: 0, published: { files: 1, bytes: content.length } });
    assert.ok((await readFile(hotFile('ended-file'))).equals(content));
    assert.deepEqual(await temporaries('ended-file'), []);
  });

  it('has its first upload ended by the finish too, where that moves it anew', async () => {
    const target = warmPlace('changed');
    const request = await fromHot('changed', target);
    const [first = 0, ...rest] = shares(request);
    await runActivity(activities.moveUnit, { ...request, unit: first });
    const changed = Buffer.alloc(content.length - MIB, 'another penstock');
    await writeFile(hotFile('changed'), changed);
    for (const unit of [...rest, 0]) await runActivity(activities.moveUnit, { ...request, unit });
    assert.equal((await runActivity(activities.finishMove, request)).failedCount, 0);
    assert.ok((await site.stores.warm.readBytes('data', 'changed/big.bin', { limitBytes: 2 ** 30 })).equals(changed));
    assert.equal(await uploads(target), 0);
  });
});
