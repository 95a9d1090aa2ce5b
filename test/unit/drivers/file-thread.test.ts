import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { type FileHandle, mkdtemp, open, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import type { Worker } from 'node:worker_threads';
import { createFileThread, type FileJob } from '../../../drivers/file-store/file-thread.ts';
import { eventually } from '../../support/wait.ts';

const run = promisify(execFile);
const NOTHING: FileJob = { content: new SharedArrayBuffer(0), files: [], names: [] };
const EMPTY = { written: [], published: [] };
let directory = '';
before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'penstock-thread-'));
});
after(() => rm(directory, { recursive: true }));

const A_NAME: FileJob = { ...NOTHING, names: [{ directory: '', temporary: '', name: '', replace: false, identity: '' }] };

/** A thread that answers, but does something else where it is to publish a name. */
async function scriptOf(name: string, atName: string): Promise<URL> {
  const script = join(directory, `${name}.mjs`);
  await writeFile(
    script,
    `
    import fs from 'node:fs';
    import { parentPort } from 'node:worker_threads';
    parentPort.on('message', ({ id, names }) => {
      if (names.length > 0) { ${atName} }
      parentPort.postMessage({ id, written: [], published: [] });
    });`,
  );
  return pathToFileURL(script);
}

/** Once somebody reads it; who reads then waits until it is closed. */
async function openForWriting(pipe: string): Promise<FileHandle> {
  for (;;) {
    const opened = await open(pipe, constants.O_WRONLY | constants.O_NONBLOCK).catch(() => undefined);
    if (opened) return opened;
    await setImmediate();
  }
}

describe('the thread of small files', () => {
  const threads: Worker[] = [];
  const listen = (thread: Worker): void => void threads.push(thread);
  before(() => process.on('worker', listen));
  after(() => process.off('worker', listen));

  it('that dies fails its jobs as one that may be tried again; the next job has another', async () => {
    const thread = createFileThread({ store: 'rack r01', script: await scriptOf('mortal', 'process.exit(3);') });
    const outcomes = await Promise.allSettled([thread.run(A_NAME), thread.run(NOTHING)]);
    for (const outcome of outcomes) {
      assert.ok(outcome.status === 'rejected');
      assert.equal(outcome.reason.name, 'IoError');
      assert.equal(outcome.reason.errorClass, 'retryable');
      assert.match(outcome.reason.message, /^rack r01: The thread that writes small files ended/);
    }
    assert.deepEqual(await thread.run(NOTHING), EMPTY);
    await thread.close();
  });

  it('that hangs in a call is told by its deadline; another is there only once the call has returned', async (context) => {
    const pipe = join(directory, 'pipe');
    await run('mkfifo', [pipe]);
    context.mock.timers.enable({ apis: ['setTimeout'] });
    const thread = createFileThread({ store: 'rack r01', script: await scriptOf('hanging', `fs.readFileSync(${JSON.stringify(pipe)});`) });
    const known = threads.length;
    const underWay = thread.run(A_NAME);
    const written = await openForWriting(pipe);
    // A process does not end before its threads' calls have returned.
    context.after(() => written.close());
    const hanging = { name: 'StoreUnavailable', message: /^rack r01: The file system does not answer/ };
    context.mock.timers.tick(60_000);
    await assert.rejects(underWay, hanging);
    await assert.rejects(thread.run(NOTHING), hanging);
    assert.equal(threads.length, known + 1);
    context.mock.timers.reset();
    await written.close();
    await eventually('the call to return', () => threads.at(-1)?.threadId === -1 || undefined);
    assert.deepEqual(await thread.run(NOTHING), EMPTY);
    assert.equal(threads.length, known + 2);
    await thread.close();
  });

  it('that is closed ends, and what was under way fails', async () => {
    const thread = createFileThread({ store: 'rack r01', script: await scriptOf('endless', 'for (;;);') });
    const underWay = assert.rejects(thread.run(A_NAME), { name: 'IoError' });
    await thread.close();
    await underWay;
    await assert.rejects(thread.run(NOTHING), { name: 'IoError' });
    await eventually('the thread to end', () => threads.at(-1)?.threadId === -1 || undefined);
  });

  it('does not keep a process alive, but does see its files through', async () => {
    const root = await mkdtemp(join(directory, 'root-'));
    const script = join(directory, 'short-lived.mjs');
    const store = new URL('../../../drivers/file-store/posix.ts', import.meta.url).href;
    await writeFile(
      script,
      `
      import { createPosixFileStore } from ${JSON.stringify(store)};
      const store = createPosixFileStore({ name: 'files', root: ${JSON.stringify(root)} });
      const scope = store.createScope();
      process.on('worker', () => process.stdout.write('threaded'));
      await Promise.all(Array.from({ length: 200 }, (_, index) => store.writeWhole('d/' + index, Buffer.from('x'), { attempt: '1', scope })));
      await scope.flush();`,
    );
    const { stdout } = await run(process.execPath, [script], { timeout: 20_000 });
    assert.equal(stdout, 'threaded');
    assert.equal((await readdir(join(root, 'd'))).length, 200);
  });
});
