/** Scrub and repair of the erasure set: one of each at a time, started or attached to, watched, slowed and stopped. */
import { type Client, WithStartWorkflowOperation, WorkflowFailedError } from '@temporalio/client';
import type * as z from 'zod';
import { CONTROL_QUEUE } from '../model/identifiers.ts';
import { formatIssues, parseInput } from '../model/issues.ts';
import { queryNames, updateNames, workflowTypes } from '../model/messages.ts';
import { REPAIR_WORKFLOW_ID, type RepairInput, RepairRequestSchema, type RepairStatus } from '../model/repair.ts';
import { SCRUB_WORKFLOW_ID, type ScrubInput, ScrubRequestSchema, type ScrubStatus } from '../model/scrub.ts';
import type { RateAnswer, SetRateSchema } from '../model/transfer-input.ts';
import { ask, sendUpdate } from './calls.ts';
import { Refusal, toRefusal } from './refusal.ts';

export interface Started {
  readonly workflowId: string;
  /** True where one was under way. */
  readonly attached: boolean;
}

interface Steered<Status> {
  /** Of the one under way, or of the last one while Temporal remembers it. Refusal NotFound where there is none. */
  status(): Promise<Status>;
  /** Followed within seconds. */
  setRate(input: z.input<typeof SetRateSchema>): Promise<RateAnswer>;
  pause(): Promise<Status>;
  resume(): Promise<Status>;
  /** Answers when nothing is read or written any more. It goes on from there when it is started again. */
  stop(): Promise<Status>;
}

export interface ErasureCalls {
  readonly scrub: Steered<ScrubStatus> & {
    /** Goes on where the last one was stopped; attaches where one is under way. */
    start(input: ScrubInput): Promise<Started>;
  };
  readonly repair: Steered<RepairStatus> & {
    /** Starts the repair, or gives the one under way more to do. */
    start(input: RepairInput): Promise<RepairStatus>;
  };
}

export function erasureCalls(client: Client): ErasureCalls {
  return {
    scrub: { ...steered<ScrubStatus>(client, SCRUB_WORKFLOW_ID), start: (input) => startScrub(client, input) },
    repair: { ...steered<RepairStatus>(client, REPAIR_WORKFLOW_ID), start: (input) => startRepair(client, input) },
  };
}

function steered<Status>(client: Client, workflowId: string): Steered<Status> {
  const handle = client.workflow.getHandle(workflowId);
  const status = async (): Promise<Status> => {
    // First whether it runs: the answer of one that is over is its last word.
    const running = await isRunning(client, workflowId);
    return { ...(await ask<Status>(client, handle, queryNames.status)), running };
  };
  return {
    status,
    setRate: (input) => sendUpdate(handle, updateNames.setRate, input),
    pause: () => sendUpdate(handle, updateNames.pause, undefined),
    resume: () => sendUpdate(handle, updateNames.resume, undefined),
    async stop() {
      try {
        await handle.cancel();
        await handle.result();
      } catch (error) {
        // That it ends as cancelled is what was asked for.
        if (!(error instanceof WorkflowFailedError)) throw toRefusal(error, workflowId);
      }
      return await status();
    },
  };
}

async function isRunning(client: Client, workflowId: string): Promise<boolean> {
  try {
    return (await client.workflow.getHandle(workflowId).describe()).status.name === 'RUNNING';
  } catch (error) {
    const refusal = toRefusal(error, workflowId);
    if (refusal instanceof Refusal && refusal.type === 'NotFound') return false;
    throw refusal;
  }
}

async function startScrub(client: Client, input: ScrubInput): Promise<Started> {
  demand(ScrubRequestSchema, input);
  if (await isRunning(client, SCRUB_WORKFLOW_ID)) return { workflowId: SCRUB_WORKFLOW_ID, attached: true };
  await client.workflow.start(workflowTypes.scrub, {
    workflowId: SCRUB_WORKFLOW_ID,
    taskQueue: CONTROL_QUEUE,
    args: [input],
    workflowIdConflictPolicy: 'USE_EXISTING',
    workflowIdReusePolicy: 'ALLOW_DUPLICATE',
    staticSummary: 'scrub of the erasure set',
  });
  return { workflowId: SCRUB_WORKFLOW_ID, attached: false };
}

async function startRepair(client: Client, input: RepairInput): Promise<RepairStatus> {
  demand(RepairRequestSchema, input);
  const startWorkflowOperation = new WithStartWorkflowOperation<(input: RepairInput) => Promise<RepairStatus>>(workflowTypes.repair, {
    workflowId: REPAIR_WORKFLOW_ID,
    taskQueue: CONTROL_QUEUE,
    args: [{ lanes: input.lanes ?? 4 }],
    workflowIdConflictPolicy: 'USE_EXISTING',
    workflowIdReusePolicy: 'ALLOW_DUPLICATE',
    staticSummary: 'repair of the erasure set',
  });
  try {
    return await client.workflow.executeUpdateWithStart(updateNames.repairMore, {
      args: [input],
      updateId: `${updateNames.repairMore}-${crypto.randomUUID()}`,
      startWorkflowOperation,
    });
  } catch (error) {
    throw toRefusal(error, REPAIR_WORKFLOW_ID);
  }
}

function demand<S extends z.ZodType>(schema: S, input: z.input<S>): void {
  const parsed = parseInput(schema, input);
  if (!parsed.ok) throw new Refusal('InvalidInput', formatIssues(parsed.issues));
}
