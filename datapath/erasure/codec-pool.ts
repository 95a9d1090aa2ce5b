/**
 * Coding off the event loop: a small pool of threads, started at first use. A slab's memory moves to the thread and back, uncopied. A thread that
 * dies fails its jobs as IoError (retryable) and is replaced by the next job; idle threads never keep a process alive.
 */
import { Worker } from 'node:worker_threads';
import { PenstockError } from '../../model/errors.ts';
import { type CodecJob, type CodecReply, type CodecRequest, type CodecResult, runCodecJob } from './codec-job.ts';

export interface CodecPool {
  /** The slab is the pool's from the call on, and the caller's again in the result. */
  run(job: CodecJob): Promise<CodecResult>;
  /** Ends the threads; jobs under way fail. The pool stays usable. */
  close(): Promise<void>;
}

/** Below this a thread's round trip costs more than the coding: 256 KiB take about 0.5 ms. */
const INLINE_BYTES = 262_144;

interface Pending {
  readonly resolve: (result: CodecResult) => void;
  readonly reject: (error: Error) => void;
}
interface CodecThread {
  readonly worker: Worker;
  readonly pending: Map<number, Pending>;
}

/** @param script the thread's module; another one only in tests */
export function createCodecPool(size: number, script: URL = new URL('./codec-worker.ts', import.meta.url)): CodecPool {
  const threads = new Set<CodecThread>();
  let lastId = 0;

  return {
    run(job) {
      if (job.slab.byteLength <= INLINE_BYTES) return new Promise((resolve) => resolve(runCodecJob(job)));
      const thread = leastBusy();
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

  function leastBusy(): CodecThread {
    const [first] = [...threads].sort((a, b) => a.pending.size - b.pending.size);
    return first && (first.pending.size === 0 || threads.size >= size) ? first : start();
  }

  function start(): CodecThread {
    const thread: CodecThread = { worker: new Worker(script), pending: new Map() };
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

/** Two threads keep up with one object being written while another is read; a mover has other work for its remaining cores. */
export const sharedCodecPool = createCodecPool(2);
