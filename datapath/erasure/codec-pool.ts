/**
 * Coding off the event loop: a small pool of threads, started at first use. A slab's memory moves to the thread and back, uncopied. A thread that
 * dies fails its jobs as IoError (retryable) and is replaced by the next job; idle threads never keep a process alive.
 */
import { Worker } from 'node:worker_threads';
import { PenstockError } from '../../model/errors.ts';
import { createStripeCoder, type StripeCoder } from './code.ts';
import { type CodecJob, type CodecReply, type CodecRequest, type CodecResult, type CodecThreadData, runCodecJob } from './codec-job.ts';
import { kernelOfProcess, needKernel } from './kernel/choose.ts';
import type { KernelName } from './kernel/kernel.ts';

export interface CodecPool {
  /** The slab is the pool's from the call on, and the caller's again in the result. */
  run(job: CodecJob): Promise<CodecResult>;
  /** Ends the threads; jobs under way fail. The pool stays usable. */
  close(): Promise<void>;
}

/** Below this a thread's round trip costs more than the coding: 512 KiB take 0.1 to 0.2 ms. */
const INLINE_BYTES = 524_288;

interface Pending {
  readonly resolve: (result: CodecResult) => void;
  readonly reject: (error: Error) => void;
}
interface CodecThread {
  readonly worker: Worker;
  readonly pending: Map<number, Pending>;
}

export interface CodecPoolOptions {
  readonly threads: number;
  /** The process's own where absent. */
  readonly kernel?: KernelName;
  /** The thread's module; another one only in tests. */
  readonly script?: URL;
}

export function createCodecPool(options: CodecPoolOptions): CodecPool {
  const script = options.script ?? new URL('./codec-worker.ts', import.meta.url);
  const threads = new Set<CodecThread>();
  let opened: Promise<InlineCodec> | undefined;
  let lastId = 0;

  return {
    async run(job) {
      opened ??= openInline(options.kernel);
      const { coder, name } = await opened;
      if (job.slab.byteLength <= INLINE_BYTES) return runCodecJob(coder, job);
      const thread = leastBusy(name);
      const id = ++lastId;
      return new Promise((resolve, reject) => {
        thread.pending.set(id, { resolve, reject });
        thread.worker.ref();
        thread.worker.postMessage({ id, job } satisfies CodecRequest, [job.slab]);
      });
    },
    async close() {
      await Promise.all([...threads].map((thread) => thread.worker.terminate()));
    },
  };

  function leastBusy(kernel: KernelName): CodecThread {
    const [first] = [...threads].sort((a, b) => a.pending.size - b.pending.size);
    return first && (first.pending.size === 0 || threads.size >= options.threads) ? first : start(kernel);
  }

  function start(kernel: KernelName): CodecThread {
    const workerData: CodecThreadData = { kernel };
    const thread: CodecThread = { worker: new Worker(script, { workerData }), pending: new Map() };
    threads.add(thread);
    thread.worker.unref();
    thread.worker.on('message', (reply: CodecReply) => {
      const job = thread.pending.get(reply.id);
      thread.pending.delete(reply.id);
      if (thread.pending.size === 0) thread.worker.unref();
      if ('result' in reply) job?.resolve(reply.result);
      else job?.reject(new PenstockError('IoError', `the erasure codec failed: ${reply.error}.`));
    });
    thread.worker.on('error', (error) => lose(thread, error));
    thread.worker.on('exit', (code) => lose(thread, new Error(`exit code ${code}`)));
    return thread;
  }

  function lose(thread: CodecThread, cause: unknown): void {
    threads.delete(thread);
    const failure = new PenstockError('IoError', 'an erasure codec thread ended before its work was done.', { cause });
    for (const job of thread.pending.values()) job.reject(failure);
    thread.pending.clear();
  }
}

interface InlineCodec {
  readonly coder: StripeCoder;
  readonly name: KernelName;
}

async function openInline(wish: KernelName | undefined): Promise<InlineCodec> {
  const kernel = wish === undefined ? (await kernelOfProcess()).kernel : await needKernel(wish);
  return { coder: createStripeCoder(kernel), name: kernel.name };
}

/** Two threads keep up with one object being written while another is read; a mover has other work for its remaining cores. */
export const sharedCodecPool = createCodecPool({ threads: 2 });
