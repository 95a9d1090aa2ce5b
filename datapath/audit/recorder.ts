/**
 * Puts records into the inbox: `record` answers when they are durable. What comes while a batch is being written is the next batch, so that a hundred activities at once cost
 * two requests. Where the inbox does not answer, what is to wait for it fails, and all else is kept in the machine's spool.
 */

import { boundedOperation, type Operation } from '../../model/audit.ts';
import type { WhileOut } from '../../model/audit-outage.ts';
import { PenstockError } from '../../model/errors.ts';
import type { Backlog } from './backlog.ts';
import { type Inbox, increasing, packBatch, putBatch } from './batch.ts';

/** Names have four digits for it; a segment is a thousand. */
const BATCH_ENTRIES = 500;
/** Below every heartbeat timeout's usual length: an activity that waits for the log does not beat. */
const WRITE_LIMIT_MS = 10_000;
/** What has a spool to go to waits no longer than this for the log: longer than a busy store takes, shorter than any heartbeat timeout. */
const SPOOL_AFTER_MS = 3000;

export interface Recorder {
  /**
   * On stable media when it answers: in the inbox, or, of what goes on while the log is out, in the spool. @throws PenstockError StoreUnavailable where neither takes it
   */
  record(operation: Operation, whileOut: WhileOut): Promise<void>;
}

/** @param backlog of this machine; without one everything waits for the log */
export function createRecorder(inbox: Inbox, backlog?: Backlog, clock = increasing()): Recorder {
  const wait = inBatches(async (operations) => {
    try {
      if (backlog) await backlog.emptied();
      await putBatch(inbox, packBatch(operations, clock()), AbortSignal.timeout(WRITE_LIMIT_MS));
    } catch (error) {
      throw notTaken(inbox, error);
    }
  });
  if (!backlog) return { record: wait };
  const spool = inBatches(async (operations) => {
    const batch = packBatch(operations, clock());
    // In order: behind what waits already.
    const isTaken = backlog.isEmpty() && (await putBatch(inbox, batch, AbortSignal.timeout(SPOOL_AFTER_MS)).then(yes, no));
    if (isTaken) return;
    await backlog.keep(batch).catch((error: unknown) => {
      throw notTaken(inbox, error);
    });
  });
  return { record: (operation, whileOut) => (whileOut === 'spool' ? spool : wait)(operation) };
}

const yes = (): boolean => true;
const no = (): boolean => false;

interface Waiting {
  readonly operation: Operation;
  readonly settled: PromiseWithResolvers<void>;
}

/** One batch at a time; a batch that fails fails each of its operations. */
function inBatches(write: (operations: readonly Operation[]) => Promise<void>): (operation: Operation) => Promise<void> {
  let waiting: Waiting[] = [];
  let isWriting = false;
  const writeAll = async (): Promise<void> => {
    if (isWriting) return;
    isWriting = true;
    while (waiting.length > 0) {
      const batch = waiting.slice(0, BATCH_ENTRIES);
      waiting = waiting.slice(BATCH_ENTRIES);
      const written = write(batch.map(({ operation }) => operation));
      for (const { settled } of batch) settled.resolve(written);
      await written.catch(() => undefined);
    }
    isWriting = false;
  };
  return async (operation) => {
    const settled = Promise.withResolvers<void>();
    waiting.push({ operation: boundedOperation(operation), settled });
    void writeAll();
    await settled.promise;
  };
}

const notTaken = ({ store }: Inbox, cause: unknown): PenstockError =>
  new PenstockError(
    'StoreUnavailable',
    `the audit log does not take what is to be done, so it is not done${cause instanceof Error ? ` (${cause.message})` : ''}.`,
    {
      store: store.name,
      nextStep: 'It is tried again; `penstock doctor` shows what the store answers.',
      cause,
    },
  );
