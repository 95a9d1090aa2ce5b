/** Ad hoc transfers: start or attach, watch, slow down, cancel. */
import type { Client } from '@temporalio/client';
import type * as z from 'zod';
import { TenantSchema } from '../model/identifiers.ts';
import { shortLocation } from '../model/location.ts';
import { queryNames, updateNames, workflowTypes } from '../model/messages.ts';
import {
  type AdHocTransfer,
  parseTransferWorkflowId,
  type RateAnswer,
  type SetRateSchema,
  type TransferInput,
  TransferRequestSchema,
  type TransferResult,
  type TransferState,
  type TransferStatus,
  transferStates,
  transferWorkflowId,
} from '../model/transfer-input.ts';
import { accepted, ask, cancelAndWait, resultOf, sendUpdate } from './calls.ts';
import { withLiveTransfer } from './live-progress.ts';
import { type Submission, startOrAttach } from './start-or-attach.ts';

export interface TransferFilter {
  readonly tenant?: string;
  readonly state?: TransferState;
  /** At most this many rows, newest first; default 100. */
  readonly limit?: number;
}
export interface TransferRow {
  readonly transferId: string;
  readonly state: TransferState | 'unknown';
  readonly startedAt: string;
  readonly closedAt?: string;
}

export interface Transfers {
  /** Starts the transfer, or attaches to it; where it was over before (`endedAt`), nothing is moved. Refusal `Conflict` where it was started before with other input. */
  start(input: TransferInput): Promise<Submission>;
  /** Lists the source and plans by the planner of the real transfer; moves nothing. */
  plan(input: TransferInput): Promise<TransferResult>;
  /** Fresh while data moves: the numbers of the moving activities are merged in. */
  status(transferId: string): Promise<TransferStatus>;
  /** Movers follow within seconds. */
  setRate(transferId: string, input: z.input<typeof SetRateSchema>): Promise<RateAnswer>;
  /** Answers when nothing moves any more; what has arrived stays. Refusal `AlreadyOver` where it had ended before. */
  cancel(transferId: string): Promise<TransferStatus>;
  list(filter?: TransferFilter): Promise<TransferRow[]>;
  /** Also resolves where it is `partial`; Refusal with the reason where it failed or was cancelled. */
  wait(transferId: string): Promise<TransferResult>;
}

export function transferCalls(client: Client): Transfers {
  const handle = (transferId: string) => client.workflow.getHandle(transferWorkflowId({ transferId }));
  const status = (transferId: string): Promise<TransferStatus> => ask(client, handle(transferId), queryNames.transferStatus);
  return {
    start: async (input) => start(client, input, accepted(TransferRequestSchema, input)),
    plan: async (input) => {
      const request = { ...accepted(TransferRequestSchema, input), mode: 'plan' } as const;
      return await plan(client, { ...input, mode: 'plan' }, request);
    },
    status: async (transferId) => withLiveTransfer(client, await status(transferId)),
    setRate: (transferId, input) => sendUpdate(handle(transferId), updateNames.setRate, input),
    cancel: (transferId) => cancelAndWait(handle(transferId), () => status(transferId)),
    list: (filter) => list(client, filter),
    wait: (transferId) => resultOf(client, transferWorkflowId({ transferId }), async () => (await status(transferId)).reason),
  };
}

const start = (client: Client, input: TransferInput, request: AdHocTransfer): Promise<Submission> =>
  startOrAttach(client, workflowTypes.transfer, {
    workflowId: transferWorkflowId(request),
    input,
    request,
    otherName: 'transferId',
    summary: `${request.mode === 'plan' ? 'plan of ' : ''}${request.transferId}`,
    details: `${shortLocation(request.source)} -> ${shortLocation(request.target)}, ${request.lanes} lanes`,
    fairnessKey: request.tenant,
  });

/** Each plan lists anew: one that is done is no answer to how things are now. */
async function plan(client: Client, input: TransferInput, request: AdHocTransfer): Promise<TransferResult> {
  // A name of its own for each, so that neither another plan nor the transfer itself is met.
  const transferId = `${request.transferId.slice(0, 40)}-${crypto.randomUUID().slice(0, 8)}`;
  const { workflowId } = await start(client, { ...input, transferId }, { ...request, transferId });
  return await resultOf(client, workflowId);
}

async function list(client: Client, { tenant, state, limit = 100 }: TransferFilter = {}): Promise<TransferRow[]> {
  const clauses = ["WorkflowType = 'transfer'"];
  if (tenant !== undefined) clauses.push(`tenant = '${TenantSchema.parse(tenant)}'`);
  if (state !== undefined) clauses.push(`phase = '${state}'`);
  const rows: TransferRow[] = [];
  for await (const run of client.workflow.list({ query: clauses.join(' AND ') })) {
    const transferId = parseTransferWorkflowId(run.workflowId);
    // A run that continued as new is a chapter of one that is listed itself.
    if (transferId === undefined || run.status.name === 'CONTINUED_AS_NEW') continue;
    const tag = run.typedSearchAttributes.getAll().find((pair) => pair.key.name === 'phase')?.value;
    rows.push({
      transferId,
      state: transferStates.find((each) => each === tag) ?? 'unknown',
      startedAt: run.startTime.toISOString(),
      ...(run.closeTime ? { closedAt: run.closeTime.toISOString() } : {}),
    });
    if (rows.length >= limit) break;
  }
  return rows;
}
