/** Queries and updates as every part of the client sends them: bounded in time, repeated where an answer was lost, refusals as one kind of error. */
import { setTimeout as pause } from 'node:timers/promises';
import { type Client, isGrpcServiceError, type WorkflowHandle } from '@temporalio/client';
import { TRY_AGAIN } from '../model/messages.ts';
import { Refusal, toRefusal } from './refusal.ts';

/** A question that no worker takes would otherwise hang for half a minute. */
const QUERY_LIMIT_MS = 10_000;

export async function ask<T>(client: Client, handle: WorkflowHandle, query: string): Promise<T> {
  try {
    return await client.withDeadline(Date.now() + QUERY_LIMIT_MS, () => handle.query<T>(query));
  } catch (error) {
    throw toRefusal(error, handle.workflowId);
  }
}

const LOST_ANSWER_TRIES = 3;
const TRY_AGAIN_MS = 250;
const TRY_AGAIN_TRIES = 240; // a minute: a new run begins as soon as the checkpoints under way are done

/** One update id for all tries: an update that was accepted but whose answer was lost is not run twice. */
export async function sendUpdate<T>(handle: WorkflowHandle, name: string, input: unknown): Promise<T> {
  const updateId = `${name}-${crypto.randomUUID()}`;
  let lost = 0;
  for (let turnedAway = 0; ; ) {
    try {
      return await handle.executeUpdate<T, [unknown]>(name, { args: [input], updateId });
    } catch (error) {
      const refusal = toRefusal(error, handle.workflowId);
      const isLost = error instanceof Error && isGrpcServiceError(error.cause ?? error);
      if (isLost) lost += 1;
      const again = isLost ? lost < LOST_ANSWER_TRIES : refusal instanceof Refusal && refusal.type === TRY_AGAIN && turnedAway++ < TRY_AGAIN_TRIES;
      if (!again) throw refusal;
      await pause(TRY_AGAIN_MS);
    }
  }
}
