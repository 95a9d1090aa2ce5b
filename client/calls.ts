/** Input, queries, updates and results as every part of the client treats them: bounded in time, repeated where an answer was lost, refusals as one kind of error. */
import { setTimeout as pause } from 'node:timers/promises';
import { type Client, isGrpcServiceError, WorkflowFailedError, type WorkflowHandle } from '@temporalio/client';
import type * as z from 'zod';
import { formatIssues, parseInput } from '../model/issues.ts';
import { TRY_AGAIN } from '../model/messages.ts';
import type { Reason } from '../model/readiness.ts';
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

/** Parsed here too, so that wrong input is refused before anything starts; the workflow parses again, for any client may start it. */
export function accepted<S extends z.ZodType>(schema: S, input: unknown): z.output<S> {
  const parsed = parseInput(schema, input);
  if (parsed.ok) return parsed.value;
  throw new Refusal('InvalidInput', formatIssues(parsed.issues));
}

/** @param reasonOf what the workflow itself says of its failure, where it can be asked @throws Refusal where it failed, was cancelled, or is not there */
export async function resultOf<T>(client: Client, workflowId: string, reasonOf?: () => Promise<Reason | undefined>): Promise<T> {
  try {
    return await client.workflow.result<() => Promise<T>>(workflowId);
  } catch (error) {
    const reason = error instanceof WorkflowFailedError ? await reasonOf?.() : undefined;
    throw reason ? new Refusal(reason.code, reason.message, error) : toRefusal(error, workflowId);
  }
}

/** Answers with its state when it has ended. @throws Refusal NotFound where it is not there, AlreadyOver where there was nothing to cancel */
export async function cancelAndWait<Status extends { readonly state: string }>(handle: WorkflowHandle, statusOf: () => Promise<Status>): Promise<Status> {
  try {
    const { closeTime } = await handle.describe();
    if (closeTime) {
      const { state } = await statusOf();
      throw new Refusal(
        'AlreadyOver',
        `${handle.workflowId} was over already: it ended at ${closeTime.toISOString()} as ${state}. There is nothing to cancel.`,
      );
    }
    await handle.cancel();
    await handle.result();
  } catch (error) {
    // That it ends as cancelled is what was asked for.
    if (!(error instanceof WorkflowFailedError)) throw toRefusal(error, handle.workflowId);
  }
  return await statusOf();
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
