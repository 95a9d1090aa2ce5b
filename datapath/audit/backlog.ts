/**
 * What this machine has in its spool, put on record in order as soon as the log takes it. The log says so of itself: before the batches a `spool` entry that names them, behind them its outcome,
 * so that whoever reads the log sees that they are late, and since when.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { MAX_PATHS, type Operation } from '../../model/audit.ts';
import { absent } from '../../model/errors.ts';
import { type Batch, type BatchName, type Inbox, packBatch, parseBatchName, putBatch } from './batch.ts';
import { type Spool, type SpoolState, spoolState } from './spool.ts';

const AGAIN_MS = 5000;
const WRITE_LIMIT_MS = 10_000;
/** How an entry of kind `spool` names a batch. */
const BATCH = 'batch ';

export interface Backlog {
  /** Whether new entries may go to the log at once. */
  isEmpty(): boolean;
  /** The batch is on stable storage when it answers, behind all that waits. @throws PenstockError where the spool does not take it */
  keep(batch: Batch): Promise<void>;
  /** All of it is on record. @throws where the log or the spool does not answer in time */
  emptied(): Promise<void>;
}

export interface BacklogOptions {
  readonly inbox: Inbox;
  readonly spool: Spool;
  /** The process. */
  readonly actor: string;
  /** Told before the first batch is kept, at each try to be rid of it, and with no entries when nothing waits any more. It does not throw. */
  readonly onState: (state: SpoolState) => Promise<void>;
  /** Of all that this process names: see {@link increasing}. */
  readonly clock: () => number;
}

/** What a killed process left is on record when it answers, where the log takes it in time. */
export async function openBacklog({ inbox, spool, actor, onState, clock }: BacklogOptions): Promise<Backlog> {
  let isEmpty = false;
  let isTold = false;
  let isPutOff = false;
  let emptying: Promise<void> | undefined;
  /** Counts what begins and what ends, so that nothing is missed that was kept during a look. */
  let changes = 0;
  let underWay = 0;

  const put = (batch: Batch): Promise<void> => putBatch(inbox, batch, AbortSignal.timeout(WRITE_LIMIT_MS));

  const putOnRecord = async (batches: readonly BatchName[]): Promise<void> => {
    const [first] = batches;
    if (!first) return;
    const paths = batches.map(({ name }) => `${BATCH}${name}`);
    const state = (more: Pick<Operation, 'stage' | 'outcome'>): readonly Operation[] => [
      { kind: 'operation', id: randomUUID().replaceAll('-', ''), time: new Date(clock()).toISOString(), operation: 'spool', actor, paths, ...more },
    ];
    // Named before them: segments are made of batches in the order of their names.
    await put(packBatch(state({ stage: 'intent' }), first.atMs - 1));
    for (const { name } of batches) {
      const body = await spool.read(name).catch(absent);
      // Else another process of this machine has sent it.
      if (body) await put({ name, body });
      await spool.remove(name);
    }
    await put(packBatch(state({ stage: 'outcome', outcome: 'done' }), clock()));
  };

  const empty = async (): Promise<void> => {
    for (;;) {
      const before = changes;
      const waiting = await spool.waiting();
      if (waiting.length === 0 && before === changes && underWay === 0) break;
      if (waiting.length > 0) {
        isTold = true;
        await onState(spoolState(waiting));
      }
      await putOnRecord(waiting.slice(0, MAX_PATHS));
    }
    [isEmpty, isTold] = [true, false];
    await onState({ entries: 0 });
  };

  const emptied = async (): Promise<void> => {
    while (!isEmpty) {
      emptying ??= empty().finally(() => {
        emptying = undefined;
        if (!isEmpty) again();
      });
      await emptying;
    }
  };
  const again = (): void => {
    if (isPutOff) return;
    isPutOff = true;
    setTimeout(() => {
      isPutOff = false;
      void emptied().catch(() => undefined);
    }, AGAIN_MS).unref();
  };

  const emptiedInTime = () => withinLimit(emptied());
  await emptiedInTime().catch(() => undefined);
  return {
    isEmpty: () => isEmpty,
    emptied: emptiedInTime,
    async keep(batch) {
      isEmpty = false;
      changes += 1;
      underWay += 1;
      try {
        if (!isTold) {
          isTold = true;
          await onState(spoolState([batch].flatMap(({ name }) => parseBatchName(name) ?? [])));
        }
        await spool.keep(batch);
      } finally {
        changes += 1;
        underWay -= 1;
        if (!emptying) again();
      }
    },
  };
}

/** Whoever waits behind it tries again; the work goes on. */
async function withinLimit(work: Promise<void>): Promise<void> {
  const over = new AbortController();
  const limit = delay(WRITE_LIMIT_MS, undefined, { signal: over.signal, ref: false }).then(() => {
    throw new Error('what waits for the log on this machine is not on record yet');
  });
  limit.catch(() => undefined);
  await Promise.race([work, limit]).finally(() => over.abort());
}

/** Of an entry of kind `spool`: the batches that it says are late. */
export function lateBatches({ operation, stage, paths }: Pick<Operation, 'operation' | 'stage' | 'paths'>): string[] {
  if (operation !== 'spool' || stage !== 'intent') return [];
  return paths.flatMap((path) => (path.startsWith(BATCH) ? [path.slice(BATCH.length)] : []));
}
