/** The bandwidth brokers, one a fabric; whoever asks first starts it. */
import { setTimeout as pause } from 'node:timers/promises';
import { type Client, isGrpcServiceError, WithStartWorkflowOperation, WorkflowNotFoundError } from '@temporalio/client';
import pLimit from 'p-limit';
import { brokerStart, brokerWorkflowId, type LeaseToken, type RenewRequest, type ReserveInput, type Standing, StandingSchema } from '../model/broker.ts';
import type { BrokerOverview } from '../model/broker-overview.ts';
import { updateNames, workflowTypes } from '../model/messages.ts';
import { toRefusal } from './refusal.ts';

export interface Brokers {
  /** Again with the same request: the same reservation. A no is an answer, `refused`, not an error. */
  reserve(fabric: string, request: ReserveInput): Promise<Standing>;
  renew(fabric: string, request: RenewRequest): Promise<Standing>;
  /** Nothing may be sent any more when it is called. */
  release(fabric: string, token: LeaseToken): Promise<Standing>;
  /** Windows stop at their next renewal, and wait until an operator resumes them; for a store that is out the broker does so itself. */
  pause(fabric: string): Promise<BrokerOverview>;
  resume(fabric: string): Promise<BrokerOverview>;
  show(fabric: string): Promise<BrokerOverview>;
}

export function brokerCalls(client: Client): Brokers {
  const inFlight = pLimit(MOST_IN_FLIGHT);
  const send = async <T>(fabric: string, update: string, request: unknown): Promise<T> => {
    const workflowId = brokerWorkflowId(fabric);
    const call = async (updateId: string): Promise<T> => {
      try {
        return await client.workflow.getHandle(workflowId).executeUpdate<T, [unknown]>(update, { args: [request], updateId });
      } catch (error) {
        if (!(error instanceof WorkflowNotFoundError)) throw error;
        // Only a fabric's first requester finds none.
        return await client.workflow.executeUpdateWithStart(update, { args: [request], updateId, startWorkflowOperation: start(fabric) });
      }
    };
    try {
      return await inFlight(() => untilHeard(call, update));
    } catch (error) {
      throw toRefusal(error, workflowId);
    }
  };
  const ask = async (fabric: string, update: string, request: unknown): Promise<Standing> => StandingSchema.parse(await send<unknown>(fabric, update, request));
  return {
    reserve: (fabric, request) => ask(fabric, updateNames.reserve, request),
    renew: (fabric, { requestId, epoch, answer, remainingBytes }) => ask(fabric, updateNames.renew, { requestId, epoch, answer, remainingBytes }),
    release: (fabric, { requestId, epoch }) => ask(fabric, updateNames.release, { requestId, epoch }),
    pause: (fabric) => send(fabric, updateNames.pause, {}),
    resume: (fabric) => send(fabric, updateNames.resume, {}),
    show: (fabric) => send(fabric, updateNames.brokerState, {}),
  };
}

const start = (fabric: string) => new WithStartWorkflowOperation<(fabric: string) => Promise<void>>(workflowTypes.broker, brokerStart(fabric));

/** Of a process; a server takes ten at once for a broker. */
const MOST_IN_FLIGHT = 8;

/** What comes beside is turned away, and comes again within seconds. */
const TRIES = 60;
const FIRST_PAUSE_MS = 50;
const MOST_PAUSE_MS = 2000;

/** One update id for all tries: what was accepted and not answered is not done twice. */
async function untilHeard<T>(call: (updateId: string) => Promise<T>, update: string): Promise<T> {
  const updateId = `${update}-${crypto.randomUUID()}`;
  for (let tries = 1; ; tries++) {
    try {
      return await call(updateId);
    } catch (error) {
      const cause = error instanceof Error && !isGrpcServiceError(error) ? error.cause : error;
      if (!isGrpcServiceError(cause) || !PASSING.has(cause.code) || tries >= TRIES) throw error;
      await pause(Math.min(MOST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(10, tries)) * (0.5 + Math.random()));
    }
  }
}

/** gRPC's numbers for: no answer in time, too much at once, a run that ended before it could answer, a server that is away. */
const PASSING: ReadonlySet<number> = new Set([4, 8, 10, 14]);
