/** Scrub and repair of the erasure set: one of each at a time, started or attached to, watched, slowed and stopped. */
import { type Client, WithStartWorkflowOperation, WorkflowFailedError } from '@temporalio/client';
import type * as z from 'zod';
import { CONTROL_QUEUE } from '../model/identifiers.ts';
import { queryNames, updateNames, workflowTypes } from '../model/messages.ts';
import { type CallOffRack, type RackCalledOff, REPAIR_WORKFLOW_ID, type RepairInput, RepairRequestSchema, type RepairStatus } from '../model/repair.ts';
import { SCRUB_WORKFLOW_ID, type ScrubInput, ScrubRequestSchema, type ScrubStatus } from '../model/scrub.ts';
import type { RateAnswer, SetRateSchema } from '../model/transfer-input.ts';
import { accepted, ask, sendUpdate } from './calls.ts';
import { withLiveRepair } from './live-repair.ts';
import { withLiveScrub } from './live-scrub.ts';
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
    /** Goes on where the last one was stopped. Where one is under way it attaches, and sets its rate where one is given. Refusal Conflict where that one would have to begin anew. */
    start(input: ScrubInput): Promise<Started>;
  };
  readonly repair: Steered<RepairStatus> & {
    /** Starts the repair, or gives the one under way more to do. */
    start(input: RepairInput): Promise<RepairStatus>;
    /** Ends the listing of a rack whose drain is not wanted, and drops what is due for nothing else. Refusal NotFound where no repair is under way. */
    callOffRack(input: CallOffRack): Promise<RackCalledOff>;
  };
}

export function erasureCalls(client: Client): ErasureCalls {
  return {
    scrub: scrubCalls(client),
    repair: repairCalls(client),
  };
}

function scrubCalls(client: Client): ErasureCalls['scrub'] {
  const calls = steered<ScrubStatus>(client, SCRUB_WORKFLOW_ID);
  const live = (status: ScrubStatus): Promise<ScrubStatus> => withLiveScrub(client, status);
  return {
    ...calls,
    status: async () => live(await calls.status()),
    pause: async () => live(await calls.pause()),
    resume: async () => live(await calls.resume()),
    stop: async () => live(await calls.stop()),
    start: (input) => startScrub(client, input),
  };
}

function repairCalls(client: Client): ErasureCalls['repair'] {
  const calls = steered<RepairStatus>(client, REPAIR_WORKFLOW_ID);
  return {
    ...calls,
    status: async () => withLiveRepair(client, await calls.status()),
    callOffRack: (input) => told(REPAIR_WORKFLOW_ID, sendUpdate<RackCalledOff>(client.workflow.getHandle(REPAIR_WORKFLOW_ID), updateNames.callOffRack, input)),
    async start(input) {
      const { bytesPerSecond } = accepted(RepairRequestSchema, input);
      const status = await startRepair(client, input);
      // One under way takes a limit by another message; one that begins has it from its first moment.
      return bytesPerSecond === undefined || bytesPerSecond === status.bytesPerSecond ? status : { ...status, ...(await calls.setRate({ bytesPerSecond })) };
    },
  };
}

function steered<Status>(client: Client, workflowId: string): Steered<Status> {
  const handle = client.workflow.getHandle(workflowId);
  const status = async (): Promise<Status> => {
    // First whether it runs: the answer of one that is over is its last word.
    const running = await isRunning(client, workflowId);
    return { ...(await told(workflowId, ask<Status>(client, handle, queryNames.status))), running };
  };
  return {
    status,
    setRate: (input) => told(workflowId, sendUpdate<RateAnswer>(handle, updateNames.setRate, input)),
    pause: () => told(workflowId, sendUpdate<Status>(handle, updateNames.pause, undefined)),
    resume: () => told(workflowId, sendUpdate<Status>(handle, updateNames.resume, undefined)),
    async stop() {
      try {
        await handle.cancel();
        await handle.result();
      } catch (error) {
        // That it ends as cancelled is what was asked for.
        if (!(error instanceof WorkflowFailedError)) throw noneRunning(toRefusal(error, workflowId), workflowId);
      }
      return await status();
    },
  };
}

async function told<T>(workflowId: string, answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    throw noneRunning(error, workflowId);
  }
}

/** There is one at most, and it has no name to look at: where none is there, it can be started. */
const noneRunning = (error: unknown, workflowId: string): unknown =>
  error instanceof Refusal && error.type === 'NotFound'
    ? new Refusal('NotFound', `No ${workflowId} is running. Start it with \`penstock erasure ${workflowId} start\`.`, error.cause)
    : error;

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
  const { bytesPerSecond } = accepted(ScrubRequestSchema, input);
  if (await isRunning(client, SCRUB_WORKFLOW_ID)) {
    if (input.anew)
      throw new Refusal(
        'Conflict',
        'anew: a scrub is under way, and keeps its place. Accepted: none under way; stop it first (`penstock erasure scrub stop`).',
      );
    if (bytesPerSecond !== undefined) await sendUpdate(client.workflow.getHandle(SCRUB_WORKFLOW_ID), updateNames.setRate, { bytesPerSecond });
    return { workflowId: SCRUB_WORKFLOW_ID, attached: true };
  }
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

async function startRepair(client: Client, { bytesPerSecond, ...input }: RepairInput): Promise<RepairStatus> {
  const first = { ...(input.lanes === undefined ? {} : { lanes: input.lanes }), ...(bytesPerSecond === undefined ? {} : { bytesPerSecond }) };
  const startWorkflowOperation = new WithStartWorkflowOperation<(input: RepairInput) => Promise<RepairStatus>>(workflowTypes.repair, {
    workflowId: REPAIR_WORKFLOW_ID,
    taskQueue: CONTROL_QUEUE,
    args: [first],
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
