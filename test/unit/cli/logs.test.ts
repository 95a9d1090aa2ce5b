/** `penstock logs`, on logs in memory: what it prints, what it reads for it, and what it says of logs that are not whole. */
import assert from 'node:assert/strict';
import { appendFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, describe, it } from 'node:test';
import { archiveNodeLogs } from '../../../datapath/logs/archive-node-logs.ts';
import { closeLogMetadata } from '../../../datapath/logs/close-log-metadata.ts';
import { LogMetadataRenewal } from '../../../datapath/logs/renew-log-metadata.ts';
import { createPosixFileStore } from '../../../drivers/file-store/posix.ts';
import type { Stores } from '../../../drivers/open-site.ts';
import { loadSiteFile } from '../../../drivers/site-file.ts';
import { PenstockError } from '../../../model/errors.ts';
import { type MemoryLogs, memoryLogs } from '../../support/memory-logs.ts';
import { recordingStores } from './recording-stores.ts';
import { penstock, siteFile, status } from './support.ts';

const NAME = 'acme/vision/a1';
const PREFIX = 'acme/vision/a1/logs/';
const NODES = ['n001', 'n002'];
const CHUNK_BYTES = 100;
const lineAt = (minute: number) => `2026-11-21T07:${String(minute).padStart(2, '0')}:00Z step ${minute} \xff\0${'.'.repeat(50)}\n`;
const LOG = Array.from({ length: 20 }, (_, minute) => lineAt(minute)).join('');

describe('penstock logs', () => {
  let root: string;
  let logs: MemoryLogs;
  let stores: Stores;
  before(async () => {
    root = await mkdtemp(join(tmpdir(), 'penstock-logs-command-'));
  });
  beforeEach(async () => {
    for (const node of NODES) {
      await mkdir(join(root, node), { recursive: true });
      await writeFile(join(root, node, 'stdout.log'), LOG, 'latin1');
    }
    logs = memoryLogs();
    const { stores: recording } = recordingStores(await loadSiteFile(siteFile));
    stores = { ...recording, warm: { ...recording.warm, ...logs.place.store } };
  });
  after(() => rm(root, { recursive: true, force: true }));

  const ship = async (nodeId = 'n001') => {
    await archiveNodeLogs({ ...logs.place, source: createPosixFileStore({ name: 'nodes', root }), directory: nodeId, nodeId, chunkBytes: CHUNK_BYTES });
    logs.read.length = 0;
  };
  const close = async (nodes = NODES) => {
    await closeLogMetadata({ ...logs.place, allocation: { tenant: 'acme', project: 'vision', allocationId: 'a1' }, nodes });
    logs.read.length = 0;
  };
  const run = (...parameters: string[]) => penstock(['logs', NAME, ...parameters], { stores });
  const chunksRead = () => logs.read.filter((name) => name.endsWith('.zst'));

  for (const isClosed of [false, true]) {
    const when = isClosed ? 'of closed logs' : 'while they are shipped';
    it(`prints the bytes as they were, ${when}, and reads only the chunks of the range`, async () => {
      await ship();
      if (isClosed) await close(['n001']);
      assert.deepEqual(await run('--node', 'n001'), { code: 0, stdout: LOG, stderr: '' });
      const all = chunksRead().length;
      assert.ok(all >= 15, `${all} chunks`);
      for (const [range, expected] of [
        [['--bytes', '350-360'], LOG.slice(350, 361)],
        [['--bytes', `${LOG.length - 5}-`], LOG.slice(-5)],
        [['--since', '2026-11-21T07:19:00Z'], lineAt(19)],
      ] as const) {
        logs.read.length = 0;
        assert.equal((await run('--node', 'n001', ...range)).stdout, expected);
        assert.ok(chunksRead().length <= 2, chunksRead().join(' '));
      }
    });
  }

  it('prints several nodes one after the other, and tells on stderr whose it is', async () => {
    await ship('n001');
    await ship('n002');
    assert.deepEqual(await run(), { code: 0, stdout: LOG + LOG, stderr: '==> n001 stdout\n==> n002 stdout\n' });
  });

  it('names the nodes there are where another is asked for, and says why a node has none', async () => {
    const none = await run();
    assert.deepEqual([none.code, none.stdout], [3, '']);
    assert.match(none.stderr, /There are no logs here yet\. They come while the job runs: --follow waits for them\./);
    assert.match((await run('--node', 'n001')).stderr, /There are no logs here yet\./);
    await ship();
    assert.match((await run('--node', 'n009')).stderr, /^NotFound: warm: node: found n009; accepted: n001\./);
    await close();
    const lost = await run('--node', 'n002');
    assert.deepEqual([lost.code, lost.stderr], [3, 'NotFound: warm: There is no stdout of n002: Its logs were not archived.\n']);
    const all = await run();
    assert.deepEqual([all.code, all.stdout], [8, LOG]);
  });

  it('names a chunk that is missing or damaged, prints the others, and exits with 8', async () => {
    await ship();
    await close(['n001']);
    const [missing, damaged] = [`${PREFIX}stdout/n001/chunk_003.log.zst`, `${PREFIX}stdout/n001/chunk_005.log.zst`];
    const other = logs.objects.get(`${PREFIX}stdout/n001/chunk_006.log.zst`);
    assert.ok(logs.objects.delete(missing) && other);
    logs.objects.set(damaged, other);
    const { code, stdout, stderr } = await run('--node', 'n001');
    assert.equal(code, 8);
    assert.match(stderr, /s3:\/\/acme\/vision\/a1\/logs\/stdout\/n001\/chunk_003\.log\.zst is missing\. Bytes \d+ to \d+ of the log are left out\./);
    assert.match(stderr, /chunk_005\.log\.zst is not the chunk metadata\.json names/);
    const lines = LOG.split(/(?<=\n)/);
    assert.equal(stdout, lines.filter((_, line) => line !== 3 && line !== 5).join(''), 'a line is a chunk here');
  });

  it('finds an older metadata.json put in place of the last, and reads what it does not name', async () => {
    await ship();
    await close(['n001']);
    const older = logs.objects.get(`${PREFIX}metadata.json`);
    assert.ok(older);
    await appendFile(join(root, 'n001', 'stdout.log'), 'the end\n');
    await ship();
    await close(['n001']);
    assert.equal((await run('--node', 'n001')).stdout, `${LOG}the end\n`);
    logs.objects.set(`${PREFIX}metadata.json`, older);
    const { code, stdout, stderr } = await run('--node', 'n001');
    assert.deepEqual([code, stdout], [8, `${LOG}the end\n`]);
    assert.match(stderr, /^metadata\.json names 20 chunks of stdout of n001, and there are 21: it is an older one, put in place of the last/);
  });

  it('--follow prints what comes, once, and ends when the logs are complete', async () => {
    await ship();
    const turns = [
      async () => {
        await appendFile(join(root, 'n001', 'stdout.log'), 'more\n');
        await ship();
      },
      () => close(['n001']),
    ];
    const world = {
      stores,
      penstock: {
        status: async () => {
          await turns.shift()?.();
          return status({ phase: 'running' });
        },
      },
    };
    assert.deepEqual(await penstock(['logs', NAME, '--node', 'n001', '--follow'], world), { code: 0, stdout: `${LOG}more\n`, stderr: '' });
    assert.equal(turns.length, 0);
  });

  it('--follow of a range ends with it, and from a moment on prints what comes after it', async () => {
    await ship();
    const end = LOG.length + 1;
    const world = (...turns: (() => Promise<void>)[]) => ({
      stores,
      penstock: {
        status: async () => {
          const turn = turns.shift();
          await turn?.();
          return status({ phase: turn ? 'running' : 'cancelled' });
        },
      },
    });
    const more = async () => {
      await appendFile(join(root, 'n001', 'stdout.log'), 'more\n');
      await ship();
    };
    const range = await penstock(['logs', NAME, '--node', 'n001', '--bytes', `${end - 3}-${end}`, '--follow'], world(more));
    assert.deepEqual(range, { code: 0, stdout: `${LOG}more\n`.slice(end - 3, end + 1), stderr: '' });
    const late = await penstock(
      ['logs', NAME, '--node', 'n001', '--since', '2026-11-21T07:19:00Z', '--follow'],
      world(more, () => close(['n001'])),
    );
    assert.deepEqual(late, { code: 0, stdout: `${lineAt(19)}more\nmore\n`, stderr: '' });
  });

  it('takes a metadata.json of a running job for no end: --follow goes on, and what it does not name is no finding', async () => {
    await ship();
    const renewal = new LogMetadataRenewal({
      ...logs.place,
      allocation: { tenant: 'acme', project: 'vision', allocationId: 'a1' },
      nodes: NODES,
      everyMs: 0,
      now: Date.now,
    });
    await renewal.look(20);
    await appendFile(join(root, 'n001', 'stdout.log'), 'more\n');
    await ship();
    assert.deepEqual(await run('--node', 'n001'), { code: 0, stdout: `${LOG}more\n`, stderr: '' });
    const looks = [() => undefined, () => close(['n001'])];
    const running = async () => {
      await looks.shift()?.();
      return status({ phase: 'running' });
    };
    const followed = await penstock(['logs', NAME, '--node', 'n001', '--follow'], { stores, penstock: { status: running } });
    assert.deepEqual([followed, looks.length], [{ code: 0, stdout: `${LOG}more\n`, stderr: '' }, 0]);
  });

  it('--follow ends where the allocation is over and nobody closes its logs, and says so', async () => {
    await ship();
    for (const answer of [async () => status({ phase: 'cancelled' }), () => Promise.reject(new PenstockError('NotFound', 'no such allocation'))]) {
      const { code, stdout, stderr } = await penstock(['logs', NAME, '--node', 'n001', '--follow'], { stores, penstock: { status: answer } });
      assert.deepEqual([code, stdout], [8, LOG]);
      assert.match(stderr, /The allocation is over, and no metadata\.json names all of these chunks/);
    }
  });

  it('reads a copy elsewhere, and refuses what is no place of one', async () => {
    await ship();
    await close(['n001']);
    const copied = { ...stores, cold: stores.warm, warm: recordingStores(stores.site).stores.warm };
    const from = await penstock(['logs', NAME, '--node', 'n001', '--from', 'cold:acme/vision/a1/logs/'], { stores: copied });
    assert.deepEqual([from.code, from.stdout], [0, LOG]);
    const tree = await run('--from', 'hot:acme/vision/a1/logs/');
    assert.match(tree.stderr, /found "hot", a directory tree; accepted: an object store/);
    assert.match((await run('--bytes', '9-3')).stderr, /a range of bytes such as "0-1023"/);
  });
});
