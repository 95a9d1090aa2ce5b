/** Windows of bandwidth for what activities move: a drain waits for one, and its bytes pass within it. */
import { ApplicationFailure, Context } from '@temporalio/activity';
import { WithStartWorkflowOperation, WorkflowNotFoundError, WorkflowUpdateFailedError } from '@temporalio/client';
import { storedBytes } from '../datapath/checkpoint/drain.ts';
import { type Lessor, withinWindow } from '../datapath/transfer/leased-limiter.ts';
import type { RateLimiter } from '../datapath/transfer/rate-limiter.ts';
import { brokerStart, brokerWorkflowId, type LeaseToken, type Standing, StandingSchema } from '../model/broker.ts';
import type { CheckpointRecord } from '../model/checkpoint-record.ts';
import { PenstockError } from '../model/errors.ts';
import { updateNames, workflowTypes } from '../model/messages.ts';
import type { Run } from './effect.ts';

export interface DrainWindow {
  readonly fabric: string;
  readonly tenant: string;
  readonly record: Pick<CheckpointRecord, 'bytes' | 'committedAt'>;
}

/** The longer ago it was committed, the more work hangs on it: that goes first among a tenant's own, and before all others after an outage. */
export function withinDrainWindow<T>({ fabric, tenant, record }: DrainWindow, run: Run, drain: (limiter: RateLimiter) => Promise<T>): Promise<T> {
  const { workflowId } = Context.current().info.workflowExecution ?? {};
  const wish = {
    class: 'drain' as const,
    tenant,
    bytes: storedBytes(record.bytes),
    atRiskSeconds: Math.max(0, (Date.now() - Date.parse(record.committedAt)) / 1000),
    holder: `${workflowId}/${run.attempt}`,
    signal: run.signal,
  };
  return withinWindow(lessorOf(fabric), wish, drain);
}

/** What passes is asked again by the holder, and a repeat is the same reservation. InvalidInput where the broker does not take the request, such as for a fabric that its site file has not. */
function lessorOf(fabric: string): Lessor {
  const { workflow } = Context.current().client;
  const heard = async (answer: Promise<unknown>): Promise<Standing> => {
    try {
      return StandingSchema.parse(await answer);
    } catch (error) {
      const cause = error instanceof WorkflowUpdateFailedError ? error.cause : undefined;
      if (!(cause instanceof ApplicationFailure && cause.type === 'InvalidInput')) throw error;
      throw new PenstockError('InvalidInput', cause.message, { nextStep: 'Give all workers of the site the same site file.', cause: error });
    }
  };
  const ask = async (update: string, request: LeaseToken): Promise<Standing> => {
    try {
      return await heard(workflow.getHandle(brokerWorkflowId(fabric)).executeUpdate(update, { args: [request] }));
    } catch (error) {
      if (!(error instanceof WorkflowNotFoundError)) throw error;
      return {
        kind: 'lost',
        requestId: request.requestId,
        message: `fabric ${fabric} has no broker any more.`,
        nextStep: 'Stop sending; reserve under a new id.',
      };
    }
  };
  const begin = () => new WithStartWorkflowOperation<(fabric: string) => Promise<void>>(workflowTypes.broker, brokerStart(fabric));
  return {
    reserve: (request) => heard(workflow.executeUpdateWithStart(updateNames.reserve, { args: [request], startWorkflowOperation: begin() })),
    renew: (request) => ask(updateNames.renew, request),
    release: (token) => ask(updateNames.release, token),
  };
}
