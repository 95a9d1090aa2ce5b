/**
 * Puts records into the inbox: `record` answers when they are durable there. What comes while a batch is being written is the next batch, so that a hundred activities at once cost
 * two requests. Where the inbox does not answer it fails, and so does what wanted to be on record.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { boundedOperation, type Operation } from '../../model/audit.ts';
import { PenstockError } from '../../model/errors.ts';
import { type Inbox, packBatch, putBatch } from './batch.ts';

/** Names have four digits for it; a segment is a thousand. */
const BATCH_ENTRIES = 500;
/** Below every heartbeat timeout's usual length: an activity that waits for the log does not beat. */
const WRITE_LIMIT_MS = 10_000;

/** What takes access away waits no longer than this for the log. */
const POST_MS = 1000;
const AGAIN_MS = 5000;
/** Entries kept while the log is out, a kilobyte each: then what would be kept fails, too. */
const KEPT_ENTRIES = 10_000;

export interface Recorder {
  /** On stable media when it answers. @throws PenstockError StoreUnavailable where the log does not take it */
  record(operation: Operation): Promise<void>;
  /**
   * For what takes access away, and must not wait for a store that is out: answers after a second at the latest, and the entry goes on record when the log takes it, while this process
   * lives. @throws PenstockError StoreUnavailable where too many are kept already
   */
  post(operation: Operation): Promise<void>;
}

interface Waiting {
  readonly operation: Operation;
  readonly isKept: boolean;
  readonly settled: PromiseWithResolvers<void>;
}

export function createRecorder(inbox: Inbox, now: () => number = Date.now): Recorder {
  let waiting: Waiting[] = [];
  let kept: Waiting[] = [];
  let isWriting = false;

  const writeAll = async (): Promise<void> => {
    if (isWriting) return;
    isWriting = true;
    while (waiting.length > 0) {
      const batch = waiting.slice(0, BATCH_ENTRIES);
      waiting = waiting.slice(BATCH_ENTRIES);
      const failure = await write(inbox, batch, now());
      for (const each of batch) {
        if (!failure) each.settled.resolve();
        else if (each.isKept) kept.push(each);
        else each.settled.reject(failure);
      }
      if (kept.length > 0) setTimeout(writeKept, AGAIN_MS).unref();
    }
    isWriting = false;
  };
  const writeKept = (): void => {
    waiting = [...kept, ...waiting];
    kept = [];
    void writeAll();
  };
  const put = (operation: Operation, isKept: boolean): Promise<void> => {
    const settled = Promise.withResolvers<void>();
    waiting.push({ operation: boundedOperation(operation), isKept, settled });
    void writeAll();
    return settled.promise;
  };

  return {
    record: async (operation) => put(operation, false),
    async post(operation) {
      if (kept.length >= KEPT_ENTRIES) throw notTaken(inbox, undefined);
      const timer = delay(POST_MS, undefined, { ref: false });
      await Promise.race([put(operation, true), timer]);
    },
  };
}

/** @returns why it is not there */
async function write(inbox: Inbox, batch: readonly Waiting[], nowMs: number): Promise<PenstockError | undefined> {
  try {
    const operations = batch.map(({ operation }) => operation);
    const { name, body } = packBatch(operations, nowMs);
    await putBatch(inbox, name, body, AbortSignal.timeout(WRITE_LIMIT_MS));
    return undefined;
  } catch (error) {
    return notTaken(inbox, error);
  }
}

const notTaken = ({ store }: Inbox, cause: unknown): PenstockError =>
  new PenstockError('StoreUnavailable', 'the audit log does not take what is to be done, so it is not done.', {
    store: store.name,
    nextStep: 'It is tried again; `penstock doctor` shows what the store answers.',
    cause,
  });
