/** A node's logs, followed while they are written, rotated and cut, by processes that die: every byte is shipped once. */
import assert from 'node:assert/strict';
import { appendFile, copyFile, rename, symlink, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import fc from 'fast-check';
import { readNodeIndex } from '../../../../datapath/logs/node-index.ts';
import { CHUNK_BYTES, CHUNK_MS, chunksOf, nodesBelow, SETTLED_MS, shipped } from '../../../support/followed-node.ts';
import { Killed } from '../../../support/memory-logs.ts';

let newNode: Awaited<ReturnType<typeof nodesBelow>>['newNode'];
let stop: () => Promise<void>;
before(async () => {
  ({ newNode, stop } = await nodesBelow());
});
after(() => stop());

/** What a job and its follower do, one after the other. */
const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant('append' as const), text: fc.string({ unit: fc.constantFrom('a', '\n', '\0', '\xff', ' '), maxLength: 150 }) }),
  },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('look' as const), afterMs: fc.constantFrom(0, 1_000, SETTLED_MS, CHUNK_MS) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('rename' as const), isMissing: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('copy and cut' as const), text: fc.string({ maxLength: 30, unit: fc.constantFrom('b', '\n') }) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('kill' as const), when: fc.constantFrom('before' as const, 'after' as const, 'never' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('lag' as const) }) },
);

describe('a log that is followed', () => {
  it('is its chunks, whatever was rotated, copied and cut, killed, or lagging behind', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 30 }), fc.integer({ min: 16, max: 200 }), async (steps, chunkBytes) => {
        const node = await newNode();
        let follower = node.follow(chunkBytes);
        let lagging = node.follow(chunkBytes);
        let written = '';
        let pieces = 0;
        const append = async (text: string) => {
          pieces += 1;
          const piece = `${pieces}:${text}`;
          await appendFile(node.log, piece, 'latin1');
          written += piece;
        };
        const look = async (afterMs: number) => {
          node.clock.now += afterMs;
          await follower.look().catch((error: unknown) => {
            if (!(error instanceof Killed)) throw error;
            follower = node.follow(chunkBytes);
          });
        };
        for (const each of steps) {
          switch (each.do) {
            case 'append':
              await append(each.text);
              break;
            case 'look':
              await look(each.afterMs);
              break;
            case 'rename':
              await append('');
              await node.shift();
              await rename(node.log, `${node.log}.1`);
              if (!each.isMissing) await writeFile(node.log, '');
              break;
            case 'copy and cut':
              // The limit that the format names: something of the file was read before.
              await append(each.text);
              await look(SETTLED_MS);
              await look(SETTLED_MS);
              await append(each.text);
              await node.shift();
              await copyFile(node.log, `${node.log}.1`);
              await truncate(node.log);
              break;
            case 'kill':
              if (each.when === 'never') follower = node.follow(chunkBytes);
              else node.logs.killNext(each.when);
              break;
            case 'lag':
              await lagging.look().catch((error: unknown) => assert.ok(error instanceof Killed));
              lagging = follower;
              follower = node.follow(chunkBytes);
              break;
          }
        }
        node.logs.killNext('never');
        await node.follow(chunkBytes).look(true);
        assert.equal(await shipped(node.logs), written);
        for (const chunk of await chunksOf(node.logs)) assert.ok(chunk.rawBytes <= chunkBytes && chunk.follows !== 'loss' && chunk.follows !== 'truncation');
      }),
      { numRuns: 60 },
    );
  });

  it('is cut by size behind a line, by time, and inside a line only where that is longer than a chunk', async () => {
    const { clock, follow, log, logs } = await newNode();
    const follower = follow();
    await writeFile(log, `${'a'.repeat(40)}\n${'b'.repeat(40)}\n`);
    await follower.look();
    assert.deepEqual(
      (await chunksOf(logs)).map(({ rawBytes }) => rawBytes),
      [41],
      'a chunk is full',
    );
    clock.now += CHUNK_MS - 1;
    await follower.look();
    assert.equal((await chunksOf(logs)).length, 1, 'what waits is not old enough');
    clock.now += 1;
    await appendFile(log, 'half a line');
    await follower.look();
    assert.equal(await shipped(logs), `${'a'.repeat(40)}\n${'b'.repeat(40)}\n`);
    await appendFile(log, 'x'.repeat(2 * CHUNK_BYTES));
    await follower.look(true);
    assert.deepEqual(
      (await chunksOf(logs)).map(({ rawBytes }) => rawBytes),
      [41, 41, 64, 64, 11],
    );
  });

  it('that was cut keeps what was read before, and says that something may be missing', async () => {
    const { follow, log, logs } = await newNode();
    const follower = follow();
    await writeFile(log, 'read before\n');
    await follower.look();
    await appendFile(log, 'never seen\n');
    await writeFile(log, 'new\n');
    await follower.look(true);
    assert.equal(await shipped(logs), 'read before\nnew\n');
    assert.deepEqual(
      (await chunksOf(logs)).map(({ follows }) => follows),
      [undefined, 'truncation'],
    );
  });

  it('that was cut and has grown past where it was read is known by its content', async () => {
    const { follow, log, logs } = await newNode();
    const follower = follow();
    await writeFile(log, 'the first run\n');
    await follower.look();
    await writeFile(log, 'the second run, which is longer\n');
    await follower.look(true);
    assert.equal(await shipped(logs), 'the first run\nthe second run, which is longer\n');
  });

  it('whose file was removed before its end was read says so', async () => {
    const { follow, log, logs } = await newNode();
    const follower = follow();
    await writeFile(log, 'one\n');
    await follower.look();
    await writeFile(`${log}.new`, 'two\n');
    await rename(`${log}.new`, log);
    await follower.look(true);
    assert.equal(await shipped(logs), 'one\ntwo\n');
    assert.equal((await chunksOf(logs)).at(-1)?.follows, 'loss');
  });

  it('is read on in the renamed file while its writer has not been told', async () => {
    const { clock, follow, log, logs } = await newNode();
    const follower = follow();
    await writeFile(log, 'one\n');
    await follower.look();
    await rename(log, `${log}.1`);
    await writeFile(log, 'three\n');
    await follower.look();
    await appendFile(`${log}.1`, 'two\n');
    clock.now += SETTLED_MS;
    await follower.look();
    clock.now += SETTLED_MS;
    await follower.look(true);
    assert.equal(await shipped(logs), 'one\ntwo\nthree\n');
  });

  it('is read by its name alone: what is compressed, of another name or a link is not', async () => {
    const { directory, follow, log, logs } = await newNode();
    await writeFile(`${log}.1.gz`, 'no log');
    await writeFile(`${log}.bak`, 'no log');
    await writeFile(`${log}-20260304`, 'one\n');
    await writeFile(log, 'two\n');
    await symlink('/etc/passwd', join(directory, 'stderr.log'));
    await follow().look(true);
    assert.equal(await shipped(logs), 'one\ntwo\n');
    assert.match(JSON.stringify(await readNodeIndex(logs.place, 'n001')), /"state":"missing","stream":"stderr","reason":".*symbolic link/);
  });
});
