import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, it } from 'node:test';
import * as z from 'zod';
import { newWriteId, writeErasureObject } from '../../../datapath/erasure/index.ts';
import { type CheckpointNode, checkpointNode } from '../../support/checkpoint-node.ts';
import { penstock, recorder, status } from './support.ts';

const ALLOCATION = 'acme/vision/train-001';
const reserved = status({ checkpoints: [{ checkpointId: 'step-2', state: 'reserved', rackId: 'r01', nodeId: 'n001', bytes: 0, files: 0 }] });
const committed = { checkpointId: 'step-2', files: 2, bytes: 5, digest: '', committedAt: '' };
const RestoredSchema = z.object({ from: z.record(z.string(), z.number()), files: z.number() });

let node: CheckpointNode;
let source: string;
beforeEach(async () => {
  node = await checkpointNode();
  source = join(node.base, 'source');
  await mkdir(join(source, 'sub'), { recursive: true });
  await writeFile(join(source, 'sub', 'model.bin'), 'model');
  await writeFile(join(source, 'empty'), '');
});
afterEach(() => node.remove());

const write = (...more: string[]): string[] => ['checkpoint', 'write', ALLOCATION, 'step-2', '--node', 'n001', '--from', source, ...more];

describe('penstock checkpoint', () => {
  it('write commits to the allocation what was reserved, and restore brings it back', async () => {
    const commit = recorder(committed);
    const world = { stores: node.stores, penstock: { status: async () => reserved, commitCheckpoint: commit.ask } };
    const written = await penstock(write(), world);
    assert.equal(written.code, 0, written.stderr);
    assert.match(written.stdout, /copies +ring, rack/);
    assert.match(written.stdout, /^rack +(on stable media, by O_DIRECT and O_DSYNC|.*page cache|in memory: .*)$/m);
    assert.deepEqual(commit.asked, [{ checkpointId: 'step-2' }]);
    const listed = await penstock(['checkpoint', 'list', ALLOCATION, '--node', 'n001'], world);
    assert.match(listed.stdout, /step-2 .* 2 .*ring, rack/);
    const target = join(node.base, 'restart');
    const restored = await penstock(['checkpoint', 'restore', ALLOCATION, 'step-2', '--node', 'n001', '--to', target, '-o', 'json'], world);
    assert.deepEqual(RestoredSchema.parse(JSON.parse(restored.stdout)), { from: { ring: 2 }, files: 2 });
    assert.equal(await readFile(join(target, 'sub', 'model.bin'), 'utf8'), 'model');
  });

  it('write refuses what is not reserved before it writes a byte', async () => {
    const refused = await penstock(write(), { stores: node.stores, penstock: { status: async () => status() } });
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /checkpoint: found "step-2"; accepted: one that is reserved for node n001 \(none is\)/);
  });

  it('write says which directory is not there before it asks anybody', async () => {
    const missing = join(node.base, 'nowhere');
    const ran = await penstock(['checkpoint', 'write', ALLOCATION, 'step-2', '--node', 'n001', '--from', missing], { stores: node.stores });
    assert.equal(ran.code, 2);
    assert.match(ran.stderr, /--from: found ".*nowhere" \(ENOENT\); accepted: a directory/);
  });

  it('write whose allocation cannot be told names the command that is left, and a second one does too', async () => {
    const deaf = { stores: node.stores, penstock: { status: async () => reserved, commitCheckpoint: () => Promise.reject(new Error('gone')) } };
    const left = /penstock allocation checkpoint commit/;
    const ran = await penstock(write(), deaf);
    assert.equal(ran.code, 1);
    assert.match(ran.stderr, /it is written, and its allocation does not know: penstock allocation checkpoint commit acme\/vision\/train-001 step-2/);
    assert.match((await penstock(write(), deaf)).stderr, left);
  });

  it('write --no-commit leaves the allocation alone and says what is left to do', async () => {
    const written = await penstock(write('--no-commit'), { stores: node.stores });
    assert.equal(written.code, 0, written.stderr);
    assert.match(written.stderr, /penstock allocation checkpoint commit acme\/vision\/train-001 step-2/);
  });

  it('restore of one that was never committed says so with exit code 3', async () => {
    const ran = await penstock(['checkpoint', 'restore', ALLOCATION, 'step-9', '--node', 'n001', '--to', join(node.base, 'x')], { stores: node.stores });
    assert.equal(ran.code, 3);
    assert.match(ran.stderr, /NotFound: checkpoint step-9 is committed in none of rack, global, erasure set/);
  });

  it('drop of the last copy is refused until it is said', async () => {
    const ran = await penstock(['checkpoint', 'drop', ALLOCATION, 'step-2', '--node', 'n001'], { stores: node.stores });
    assert.match(ran.stderr, /PolicyRefused: .*--last-copy/);
  });
});

describe('penstock checkpoint plan', () => {
  it('says of each drained one whether it stays or goes, when and why, and removes nothing', async () => {
    for (const [id, day] of [
      ['step-1', '01'],
      ['step-2', '02'],
      ['step-3', '03'],
    ] as const) {
      const record = { formatVersion: 1, checkpointId: id, committedAt: `2026-11-${day}T00:00:00.000Z`, digest: '00', bytes: 0, files: [] };
      const body = Buffer.from(JSON.stringify(record));
      const key = `${ALLOCATION}/checkpoints/${id}/penstock-commit.json`;
      await writeErasureObject({ racks: node.racks, key, content: Readable.from([body]), bytes: body.length, writeId: newWriteId() });
    }
    const plan = (phase: 'running' | 'released') =>
      penstock(['checkpoint', 'plan', ALLOCATION], {
        stores: node.stores,
        penstock: { status: async () => status({ phase, since: '2026-11-20T00:00:00.000Z' }) },
      });
    const before = node.racks.map(({ objects }) => objects.size);
    const ended = await plan('released');
    assert.equal(ended.code, 0, ended.stderr);
    assert.match(
      ended.stdout,
      /step-3 .*stays +the newest\n.*step-2 .*stays +one of the last 2\n.*step-1 .*goes at 2026-11-27T00:00:00.000Z +there are 2 newer ones, checkpoints.keepLast is 2/,
    );
    const listed = await penstock(['checkpoint', 'list', ALLOCATION, '--node', 'n001'], { stores: node.stores });
    assert.match(listed.stderr, /which of those in the erasure set stay, and when the others go: penstock checkpoint plan acme\/vision\/train-001/);
    assert.match((await plan('running')).stdout, /step-1 .*goes +there are 2 newer ones, .*keepDays 7 from the end of the allocation/);
    assert.deepEqual(
      node.racks.map(({ objects }) => objects.size),
      before,
    );
  });
});
