/**
 * A thread that makes the calls of many small files one after another and waits for each: that takes a few microseconds, completing a call on the event loop ten times as
 * long. Started at first use; idle it never keeps a process alive. A file system that hangs stops this thread alone, and is told after a deadline.
 */
import { Worker } from 'node:worker_threads';
import { PenstockError } from '../../model/errors.ts';

/** Files to write, or names to publish; file-thread-worker.ts says how. */
export interface FileJob {
  readonly content: SharedArrayBuffer;
  readonly files: readonly NewFile[];
  readonly names: readonly NewName[];
}
export interface NewFile {
  /** A directory that the caller holds open, as `/proc/self/fd/{fd}/`. */
  readonly directory: string;
  readonly temporary: string;
  /** Where it begins in the shared content. */
  readonly offset: number;
  readonly bytes: number;
  /** Permission bits while it is written, less the umask. */
  readonly modeOfNew: number;
  /** What they are in the end, whatever the umask. */
  readonly mode: number | undefined;
  readonly modifiedNs: bigint | undefined;
}
/** What fstat tells of a file that was written. */
export interface NewFileStats {
  readonly dev: bigint;
  readonly ino: bigint;
  readonly size: bigint;
  readonly mtimeNs: bigint;
}
export interface NewName {
  readonly directory: string;
  readonly temporary: string;
  readonly name: string;
  readonly replace: boolean;
  /** Device and inode of what was written. */
  readonly identity: string;
}
/** `replaced`: another file lies under the name already. */
export type NameOutcome = 'published' | 'replaced';

/** In the order asked for; undefined for what did not go smoothly, which the caller does again by itself and so learns why. Nothing new is left of a file then. */
export interface FileAnswers {
  readonly written: readonly (NewFileStats | undefined)[];
  readonly published: readonly (NameOutcome | undefined)[];
}
export interface ThreadRequest extends FileJob {
  readonly id: number;
}
export interface ThreadReply extends FileAnswers {
  readonly id: number;
}

export interface FileThread {
  /** @throws IoError where the thread died or was closed, StoreUnavailable where it hangs; what of the job was done is not known then, and it does nothing more */
  run(job: FileJob): Promise<FileAnswers>;
  /** Ends the thread. Settles when that is done; at once where it is in a call, which nobody knows the end of. */
  close(): Promise<void>;
}

/** Of one job, which takes milliseconds: long enough for a disk that is busy with all else. */
const DEADLINE_MS = 60_000;

export interface FileThreadOptions {
  readonly store: string;
  /** The thread's module; another one only in tests. */
  readonly script?: URL;
}
interface Pending {
  readonly resolve: (answers: FileAnswers) => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
}

export function createFileThread({ store, script = new URL('./file-thread-worker.ts', import.meta.url) }: FileThreadOptions): FileThread {
  const pending = new Map<number, Pending>();
  let worker: Worker | undefined;
  /** A call does not return. The thread ends once it does, and not before that is there another. */
  let isStuck = false;
  let isClosed = false;
  let lastId = 0;

  function start(): Worker {
    const started = new Worker(script);
    started.on('message', ({ id, ...answers }: ThreadReply) => settle(id)?.resolve(answers));
    started.on('error', (cause) => failAll(ended(store, cause)));
    started.on('exit', (code) => {
      worker = undefined;
      isStuck = false;
      failAll(ended(store, new Error(`exit code ${code}`)));
    });
    return started;
  }

  function settle(id: number): Pending | undefined {
    const job = pending.get(id);
    pending.delete(id);
    clearTimeout(job?.timer);
    if (pending.size === 0) worker?.unref();
    return job;
  }

  function failAll(error: Error): void {
    for (const id of pending.keys()) settle(id)?.reject(error);
  }

  async function end(): Promise<void> {
    await worker?.terminate();
  }

  return {
    async run(job) {
      if (isClosed) throw ended(store);
      if (isStuck) throw hangs(store);
      worker ??= start();
      lastId += 1;
      const { promise, resolve, reject } = Promise.withResolvers<FileAnswers>();
      const late = () => {
        isStuck = true;
        void end();
        failAll(hangs(store));
      };
      pending.set(lastId, { resolve, reject, timer: setTimeout(late, DEADLINE_MS) });
      worker.ref();
      worker.postMessage({ ...job, id: lastId } satisfies ThreadRequest);
      return promise;
    },
    async close() {
      isClosed = true;
      const isIdle = pending.size === 0 && !isStuck;
      const ending = end();
      if (isIdle) await ending;
    },
  };
}

const ended = (store: string, cause?: unknown): PenstockError =>
  new PenstockError('IoError', 'The thread that writes small files ended before its work was done.', { store, cause });

const hangs = (store: string): PenstockError =>
  new PenstockError('StoreUnavailable', 'The file system does not answer: a call for small files has not returned.', {
    store,
    nextStep: 'Look whether the mount hangs; it goes on by itself once the file system answers.',
  });
