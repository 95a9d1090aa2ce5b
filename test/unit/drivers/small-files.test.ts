import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { FileThread, NewFileStats } from '../../../drivers/file-store/file-thread.ts';
import { createSmallFiles, SMALL_FILE_BYTES } from '../../../drivers/file-store/small-files.ts';

const MIB = 2 ** 20;
const file = (name: string, content: Buffer) => ({
  directory: '/proc/self/fd/9/',
  temporary: name,
  content,
  modeOfNew: 0o644,
  mode: undefined,
  modifiedNs: undefined,
});

/** Takes what it is given by name, and answers with its size. */
function recordingThread(fails: (job: number) => boolean = () => false) {
  const arrived = new Map<string, Buffer>();
  const memories: SharedArrayBuffer[] = [];
  let underWay = 0;
  const thread: FileThread = {
    async run({ content, files }) {
      underWay += 1;
      assert.equal(underWay, 1, 'two groups at once');
      assert.ok(files.length > 0 && files.length <= 256, `${files.length} files`);
      memories.push(content);
      // Whoever writes into it meanwhile is found out.
      await new Promise(setImmediate);
      underWay -= 1;
      if (fails(memories.length)) throw new Error('the thread died');
      return {
        published: [],
        written: files.map(({ bytes, offset, temporary }): NewFileStats => {
          arrived.set(temporary, Buffer.from(Buffer.from(content, offset, bytes)));
          return { dev: 1n, ino: 1n, size: BigInt(bytes), mtimeNs: 0n };
        }),
      };
    },
    close: () => Promise.resolve(),
  };
  return { arrived, memories, thread };
}

describe('small files on their way to the thread', () => {
  it('arrive with their own content, in groups of bounded size, one at a time, in two pieces of memory', async () => {
    const size = fc.oneof(fc.integer({ min: 0, max: 9000 }), fc.integer({ min: 0, max: SMALL_FILE_BYTES }));
    await fc.assert(
      fc.asyncProperty(fc.array(size, { maxLength: 400 }), async (sizes) => {
        const { arrived, memories, thread } = recordingThread();
        const small = createSmallFiles(thread);
        const contents = sizes.map((bytes, index) => Buffer.alloc(bytes, index + 1));
        const stats = await Promise.all(contents.map((content, index) => small.write(file(`${index}`, content))));
        for (const [index, content] of contents.entries()) {
          assert.equal(stats[index]?.size, BigInt(content.length));
          assert.ok(arrived.get(`${index}`)?.equals(content), `content of ${index}`);
        }
        assert.ok(new Set(memories).size <= 2);
        assert.ok(memories.every(({ byteLength }) => byteLength === MIB));
      }),
      { numRuns: 30 },
    );
  });

  it('of a group whose thread fails fail with it, the others do not; the memory that it may still read is not used again', async () => {
    const { memories, thread } = recordingThread((job) => job === 2);
    const small = createSmallFiles(thread);
    const contents = Array.from({ length: 16 }, () => Buffer.alloc(SMALL_FILE_BYTES, 1));
    const outcomes = await Promise.allSettled(contents.map((content, index) => small.write(file(`${index}`, content))));
    assert.equal(outcomes.filter(({ status }) => status === 'rejected').length, 4);
    assert.equal(memories.length, 4);
    assert.equal(memories.indexOf(memories[1] ?? new SharedArrayBuffer(0), 2), -1);
  });

  it('are taken where they are small and many', () => {
    const small = createSmallFiles(recordingThread().thread);
    const taken = Array.from({ length: 70 }, () => small.takes(SMALL_FILE_BYTES));
    assert.deepEqual([taken[0], taken[69]], [false, true]);
    assert.equal(small.takes(SMALL_FILE_BYTES + 1), false);
  });
});
