/** The scheduler's and the job's part of the demonstration, with what Penstock says of it meanwhile. */
import { setTimeout as pause } from 'node:timers/promises';
import type { AllocationKey, AllocationStatus, Readiness } from '../../client/index.ts';
import { formatBandwidth, formatBytes, formatSeconds } from '../../model/quantity.ts';
import { checkpointFiles, seededBytes, writeCheckpoint, writeLogs, writeOutput, writeScratch } from '../job/job.ts';
import type { DemoContext, StepView } from './allocation.ts';

const POLL_MS = 250;
const CHECKPOINT_SHARDS = 4;
const CHECKPOINT_SHARD_BYTES = 64 << 20;
const LIFECYCLE_LIMIT_MS = 10 * 60_000;

export async function stageAndAssign(context: DemoContext, view: StepView): Promise<void> {
  const { penstock, request, stores } = context;
  const submission = await penstock.submit(request);
  view.title = `queued as ${submission.workflowId}`;
  const readiness = await poll(async () => {
    const latest = await penstock.readiness(request);
    show(view, describeReadiness(latest));
    if (latest.state === 'failed') throw new Error(`staging failed: ${latest.reason?.message}`);
    return latest.state === 'ready' ? latest : undefined;
  });
  view.title = `staged while queued: ${readiness.files} files, ${formatBytes(readiness.bytes)} hot, pinned until ${readiness.pinnedUntil}`;
  const nodes = stores.site.nodes.slice(0, 2).map(({ id, rackId, features }) => ({ nodeId: id, rackId, features }));
  context.plan = await penstock.assignNodes(request, { nodes });
}

export async function runTheJob(context: DemoContext, view: StepView): Promise<void> {
  const { penstock, request, plan, stores } = context;
  view.output = `${plan.mounts.length} exports, scratch on ${plan.scratch.map((each) => `${each.nodeId} (${each.kind})`).join(', ')}`;
  await writeLogs(plan, 20_000);
  await writeScratch(plan);
  context.output = new Map([
    ['results/weights.bin', seededBytes('weights', 48 << 20)],
    ['results/metrics.json', Buffer.from('{"accuracy": 0.97}\n')],
  ]);
  await writeOutput(plan, stores.hotObjects, context.output);
  context.checkpointContent = checkpointFiles('demo', CHECKPOINT_SHARDS, CHECKPOINT_SHARD_BYTES);
  const reservation = await penstock.reserveCheckpoint(request, { checkpointId: 'step-1000', bytes: CHECKPOINT_SHARDS * CHECKPOINT_SHARD_BYTES });
  view.output = `writing checkpoint step-1000 twice in rack ${reservation.rackId}`;
  await writeCheckpoint(reservation, context.checkpointContent);
  context.checkpoint = await penstock.commitCheckpoint(request, { checkpointId: 'step-1000' });
  view.title = `ran on ${plan.scratch.map((each) => each.nodeId).join(' and ')}: logs, output, checkpoint step-1000 of ${formatBytes(context.checkpoint.bytes)} committed on two copies`;
}

export async function finishAndArchive(context: DemoContext, view: StepView): Promise<void> {
  const { penstock, request } = context;
  const finished = await penstock.finish(request, { outcome: 'succeeded', exitCode: 0 });
  view.title = `nodes handed back at ${finished.nodesReleasedAt}; draining and archiving go on without them`;
  context.status = await poll(async () => {
    const status = await penstock.status(request);
    show(view, `${status.phase}: ${status.journal.at(-1)?.text ?? ''}; ${checkpointLine(status)}`);
    return status.phase === 'released' || status.phase === 'failed' ? status : undefined;
  });
  if (context.status.phase !== 'released') throw new Error(`the allocation ${context.status.phase}: ${context.status.reason?.message}`);
  view.title = 'drained, archived and released';
}

function describeReadiness(readiness: Readiness): string {
  const bar = '#'.repeat(Math.floor(readiness.readiness * 20)).padEnd(20, '.');
  const rate = readiness.bytesPerSecond > 0 ? `  ${formatBandwidth(readiness.bytesPerSecond)}` : '';
  const eta = readiness.etaSeconds ? `  ETA ${formatSeconds(readiness.etaSeconds)}` : '';
  return `[${bar}] ${readiness.state}  ${readiness.doneFiles} of ${readiness.files} files  ${formatBytes(readiness.doneBytes)} of ${formatBytes(readiness.bytes)}${rate}${eta}`;
}

const checkpointLine = (status: AllocationStatus): string =>
  `${status.checkpointCounts.drained} checkpoint drained, ${status.checkpointCounts.committed} draining`;

/** A terminal redraws one line; a log should not repeat it. */
function show(view: StepView, line: string): void {
  if (line !== view.output) view.output = line;
}

/** Asks until there is an answer; a demonstration that hangs says so. */
async function poll<T>(ask: () => Promise<T | undefined>): Promise<T> {
  for (const endsAt = Date.now() + LIFECYCLE_LIMIT_MS; Date.now() < endsAt; await pause(POLL_MS)) {
    const answer = await ask();
    if (answer !== undefined) return answer;
  }
  throw new Error(`no progress within ${LIFECYCLE_LIMIT_MS / 60_000} minutes`);
}

export const demoKey = ({ request }: DemoContext): AllocationKey => ({ tenant: request.tenant, project: request.project, allocationId: request.allocationId });
