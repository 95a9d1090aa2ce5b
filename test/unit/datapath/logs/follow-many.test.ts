/** What following costs: the index of a long log, and the logs of a thousand nodes. */
import assert from 'node:assert/strict';
import { appendFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { LogFollower, openRoom } from '../../../../datapath/logs/follow-logs.ts';
import { readNodeIndex } from '../../../../datapath/logs/node-index.ts';
import { createPosixFileStore } from '../../../../drivers/file-store/posix.ts';
import { CHUNK_BYTES, CHUNK_MS, chunksOf, nodesBelow, shipped } from '../../../support/followed-node.ts';
import { memoryLogs } from '../../../support/memory-logs.ts';

let nodes: Awaited<ReturnType<typeof nodesBelow>>;
before(async () => {
  nodes = await nodesBelow();
});
after(() => nodes.stop());

describe('the index of a node', () => {
  const fill = async (lines: number) => {
    const node = await nodes.newNode();
    const follower = node.follow();
    for (let line = 0; line < lines; line++) {
      await appendFile(node.log, `${String(line).padStart(CHUNK_BYTES - 1, '.')}\n`);
      await follower.look();
    }
    return { ...node, follower };
  };

  it('follows the chunks at a distance that is bounded, and is not written for each', async () => {
    const { logs } = await fill(200);
    const index = await readNodeIndex(logs.place, 'n001');
    const indexed = index?.streams[0]?.state === 'archived' ? index.streams[0].chunks.length : 0;
    assert.ok(indexed >= 200 - 64 && indexed <= 200, `${indexed} of 200`);
    assert.equal((await chunksOf(logs)).length, 200);
  });

  it('that somebody replaced by an older one, damaged or removed costs no chunk', async () => {
    const { follow, log, logs } = await fill(20);
    const key = 'acme/vision/a1/logs/.index/n001.json';
    const older = logs.objects.get(key);
    assert.ok(older);
    await appendFile(log, 'one more\n');
    await follow().look(true);
    const whole = await shipped(logs);
    for (const replaced of [older, Buffer.from('{ no index'), undefined]) {
      if (replaced) logs.objects.set(key, replaced);
      else logs.objects.delete(key);
      await follow().look(true);
      assert.equal(await shipped(logs), whole);
      assert.equal((await chunksOf(logs)).length, 21);
    }
  });

  it('that names a chunk that is gone stops the follower with its name', async () => {
    const { follow, logs } = await fill(3);
    logs.objects.delete('acme/vision/a1/logs/stdout/n001/chunk_002.log.zst');
    await assert.rejects(follow().look(), { name: 'CorruptSource', message: /chunk_002\.log\.zst is gone/ });
  });
});

describe('a thousand nodes', () => {
  it('are followed in one loop, in bounded memory, and a kill costs nothing', async () => {
    const names = Array.from({ length: 1000 }, (_, index) => `n${String(index).padStart(4, '0')}`);
    const directoryOf = (nodeId: string) => `many/${nodeId}`;
    await Promise.all(
      names.map(async (nodeId) => {
        await mkdir(join(nodes.root, directoryOf(nodeId)), { recursive: true });
        for (const stream of ['stdout', 'stderr']) await writeFile(join(nodes.root, directoryOf(nodeId), `${stream}.log`), `${nodeId} ${stream}\n`.repeat(100));
      }),
    );
    const logs = memoryLogs();
    const source = createPosixFileStore({ name: 'nodes', root: nodes.root });
    const WAITING_BYTES = 256 * 1024;
    const room = openRoom(WAITING_BYTES);
    const start = (chunkMs: number) =>
      new LogFollower({
        nodes: names.map((nodeId) => ({ nodeId, source, directory: directoryOf(nodeId), place: logs.place })),
        chunkBytes: 2 ** 20,
        chunkMs,
        now: () => 0,
        room,
      });
    const written = names.reduce((sum, nodeId) => sum + 100 * 2 * `${nodeId} stdout\n`.length, 0);
    const first = start(CHUNK_MS);
    await first.round();
    const { rawBytes } = first.state;
    assert.ok(rawBytes < written && written - rawBytes <= WAITING_BYTES, `${written - rawBytes} bytes wait`);
    assert.ok(JSON.stringify(first.state).length < 1024, 'a heartbeat is small');
    first.close();
    assert.equal(room.waiting.bytes, 0);
    const second = start(0);
    await second.round();
    assert.deepEqual(second.state, { nodes: 1000, chunks: 2000, rawBytes: written, failing: [] });
    assert.equal([...logs.objects.keys()].filter((key) => key.endsWith('.zst')).length, 2000);
  });
});
