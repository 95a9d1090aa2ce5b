/** An operation with its intent before it and its outcome behind it, in the same manner for workers and the command line. */
import { createHash } from 'node:crypto';
import { ApplicationFailure, CancelledFailure } from '@temporalio/activity';
import type { Recorder } from '../datapath/audit/recorder.ts';
import type { Operation, OperationFacts } from '../model/audit.ts';
import type { WhileOut } from '../model/audit-outage.ts';

/** Who does it, and what tells it from every other. */
export type Act = OperationFacts &
  Pick<Operation, 'actor' | 'activity' | 'activityId' | 'workflowId' | 'runId' | 'attempt'> & {
    /** Equal for a repeat of the same attempt, and for nothing else. */
    readonly identity: readonly (string | number)[];
  };

/** The work begins when its intent is durable, and is over when its outcome is. @throws PenstockError StoreUnavailable where neither the log nor, for what goes on without it, the spool takes them */
export async function onRecord<T>(recorder: Recorder, { identity, ...act }: Act, whileOut: WhileOut, work: () => Promise<T>): Promise<T> {
  const record = (stage: Operation['stage'], more: Pick<Operation, 'outcome' | 'reason'> = {}) =>
    recorder.record({ kind: 'operation', id: idOf([...identity, stage]), stage, time: new Date().toISOString(), ...act, ...more }, whileOut);
  await record('intent');
  let done: T;
  try {
    done = await work();
  } catch (error) {
    // Why it failed matters more than that the log did, too: the intent without an outcome shows it.
    await record('outcome', outcomeOf(error)).catch(() => undefined);
    throw error;
  }
  await record('outcome', { outcome: 'done' });
  return done;
}

const idOf = (parts: readonly (string | number)[]): string => createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 32);

function outcomeOf(error: unknown): Pick<Operation, 'outcome' | 'reason'> {
  if (!(error instanceof Error)) return { outcome: 'failed', reason: String(error) };
  const type = error instanceof ApplicationFailure ? (error.type ?? error.name) : error.name;
  return { outcome: error instanceof CancelledFailure ? 'cancelled' : 'failed', reason: `${type}: ${error.message}` };
}
