/** A broker that grants what a test tells it to, behind the client of an activity: what passes a window of it is known without a clock. */
import { Client, Connection } from '@temporalio/client';
import { defaultPayloadConverter } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import { type LeaseToken, type RenewRequest, RenewSchema, type ReserveRequest, ReserveSchema, type Standing } from '../../model/broker.ts';
import { updateNames } from '../../model/messages.ts';

/** Asked again as often as a holder ever does. */
const RENEW_MS = 100;
/** Longer than any test. */
const VALID_MS = 600_000;

export interface ToldBroker {
  /** Where an activity runs whose client reaches this broker, and nothing else. */
  readonly environment: MockActivityEnvironment;
  /** From the next renewal on; nobody has a window while it is 0. */
  bytesPerSecond: number;
  readonly reserved: readonly ReserveRequest[];
  readonly renewed: readonly RenewRequest[];
  readonly released: readonly LeaseToken[];
}

/** @param attempt of the activity */
export function toldBroker(bytesPerSecond: number, attempt = 1): ToldBroker {
  const reserved: ReserveRequest[] = [];
  const renewed: RenewRequest[] = [];
  const released: LeaseToken[] = [];
  let answers = 0;
  const standing = (requestId: string): Standing => {
    answers += 1;
    const told = { requestId, epoch: 1, answer: answers, renewMilliseconds: RENEW_MS };
    if (broker.bytesPerSecond === 0) return { kind: 'queued', ...told, position: 0, reason: 'the fabric is paused' };
    const now = new Date().toISOString();
    return { kind: 'window', ...told, bytesPerSecond: broker.bytesPerSecond, startAt: now, endAt: now, validMilliseconds: VALID_MS };
  };
  const answer = (update: string, [request]: readonly unknown[]): Standing => {
    if (update === updateNames.reserve) {
      const asked = ReserveSchema.parse(request);
      reserved.push(asked);
      return standing(asked.requestId);
    }
    const asked = update === updateNames.renew ? RenewSchema.parse(request) : undefined;
    if (asked) {
      renewed.push(asked);
      return standing(asked.requestId);
    }
    const { requestId, epoch } = RenewSchema.pick({ requestId: true, epoch: true }).parse(request);
    released.push({ requestId, epoch });
    return { kind: 'released', requestId };
  };
  const outcomeOf = (update: string, args: readonly unknown[]) => ({ success: { payloads: [defaultPayloadConverter.toPayload(answer(update, args))] } });
  const client = new Client({
    connection: Connection.lazy(),
    interceptors: {
      workflow: [
        {
          signal: () => Promise.resolve(),
          signalWithStart: () => Promise.resolve('told'),
          startUpdate: ({ updateName, args }) => Promise.resolve({ updateId: 'told', workflowRunId: 'told', outcome: outcomeOf(updateName, args) }),
          startUpdateWithStart: ({ updateName, updateArgs, workflowStartOptions: { workflowId } }) =>
            Promise.resolve({ workflowExecution: { workflowId, runId: 'told' }, updateId: 'told', updateOutcome: outcomeOf(updateName, updateArgs) }),
        },
      ],
    },
  });
  const broker = { environment: new MockActivityEnvironment({ attempt }, { client }), bytesPerSecond, reserved, renewed, released };
  return broker;
}
