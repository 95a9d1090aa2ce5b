/** Every driver call and move of a lifecycle, in the order in which the workflows make them. Pure; its test runs the real activities beside it. */
import { networkScratch, nodePlaces } from '../../activities/places.ts';
import type { AllocationRequest } from '../../model/allocation.ts';
import { checkpointDirectory } from '../../model/checkpoint.ts';
import { type AllocationKey, allocationPrefix, allocationWorkflowId } from '../../model/identifiers.ts';
import { OUTPUT_RECORD } from '../../model/output-record.ts';
import type { AllocationPlan } from '../../model/plan.ts';
import { formatCount, formatSeconds } from '../../model/quantity.ts';
import { archiveLock, retentionWorkflowId } from '../../model/retention.ts';
import type { Site } from '../../model/site.ts';
import type { PlanStep } from './dry-run.ts';
import { stagingSteps } from './staging-steps.ts';
import { startingSteps } from './starting-steps.ts';
import { stepIn } from './step.ts';
import type { Survey } from './survey.ts';

export interface PlanInput {
  readonly request: AllocationRequest;
  readonly plan: AllocationPlan;
  readonly site: Site;
  readonly survey: Survey | undefined;
  readonly now: Date;
}

export function planSteps(input: PlanInput): PlanStep[] {
  const { request, plan } = input;
  const { deadlines } = plan.policies;
  return [
    {
      phase: 'queued',
      kind: 'call',
      action: 'admit',
      subject: allocationWorkflowId(request),
      detail: `${formatCount(plan.data.mounts.length, 'mount')}, held to the site's rules`,
    },
    ...stagingSteps(input),
    {
      phase: 'ready',
      kind: 'wait',
      action: 'assign',
      subject: 'the scheduler',
      detail: `accepted from readiness ${plan.policies.readyThreshold} on; at most ${formatSeconds(deadlines.readyHours * 3600)} after the expected start`,
    },
    ...startingSteps(input),
    ...runningSteps(input),
    ...drainingSteps(input),
    ...archivingSteps(input),
    {
      phase: 'releasing',
      kind: 'call',
      action: 'hot.releaseHoldings',
      subject: allocationWorkflowId(request),
      detail: 'exports, reservations; snapshots end by their own expiry',
    },
  ];
}

function runningSteps({ request, plan }: PlanInput): PlanStep[] {
  const job: PlanStep = {
    phase: 'running',
    kind: 'wait',
    action: 'finish',
    subject: 'the scheduler',
    detail: `at most ${formatSeconds(request.walltimeSeconds)} of walltime and ${formatSeconds(plan.policies.leaseGraceSeconds)} of grace`,
  };
  if (plan.data.checkpointPrefix === undefined) return [job];
  const directory = checkpointDirectory(request, '<checkpoint>');
  const step = stepIn('running');
  const each = (action: string, subject: string, detail: string): PlanStep => step(action.includes('->') ? 'move' : 'call', action, subject, detail);
  return [
    job,
    each('node.ensureDirectory', directory, 'each checkpoint, at its reservation, where the node has room'),
    each('rack.ensureDirectory', directory, "each checkpoint, at its reservation, where the node's rack has room"),
    each('node.sync + rack.sync', directory, 'each checkpoint, at its commit: both copies compared, synced, then the commit record'),
    each(
      'rack -> erasure set',
      `${plan.data.checkpointPrefix}<checkpoint>/`,
      'each committed checkpoint, 14+4 shards on 18 racks; goes on when the job has ended',
    ),
    each('racks.readInto', `${plan.data.checkpointPrefix}<checkpoint>/`, 'each committed checkpoint: every shard is read back'),
    each('rack.remove', directory, 'each drained checkpoint'),
    ...(plan.checkpointCopies ?? []).map((to) =>
      each(`erasure set -> ${to}`, `${plan.data.checkpointPrefix}<checkpoint>/`, 'each drained checkpoint, in its own time'),
    ),
  ];
}

function drainingSteps({ request, plan }: PlanInput): PlanStep[] {
  const key: AllocationKey = request;
  const logs = `s3://${request.tenant}/${allocationPrefix(request)}logs/`;
  const step = stepIn('draining');
  return [
    step('move', 'node -> warm', logs, `each node: zstd chunks of ${nodePlaces(key).logs}`),
    step('call', 'warm.writeStream', `${logs}metadata.json`, 'last, once every node is named in it'),
    step('call', 'hot.releaseHoldings', allocationWorkflowId(request), 'exports'),
    ...Object.values(nodePlaces(key)).map((place) => step('call', 'node.remove', place, 'each node')),
    step('call', 'hotFiles.remove', networkScratch(key, '<node>'), 'each node'),
    step(
      'wait',
      'nodes are handed back',
      'the scheduler',
      `at the latest after ${formatSeconds(plan.policies.deadlines.drainingMinutes * 60)}, clean or named as unclean`,
    ),
  ];
}

function archivingSteps({ request, plan, now }: PlanInput): PlanStep[] {
  const { outputPrefix } = plan.data;
  const at = `s3://${request.tenant}/${outputPrefix}`;
  const lock = archiveLock(plan.policies, request.retention ?? {}, now.getTime());
  const days = Math.max(request.retention ? 0 : plan.policies.archiveRetentionDays, plan.policies.retention?.minimumDays ?? 0);
  const retainUntil = lock.retainUntil === request.retention?.retainUntil ? lock.retainUntil : `${days} days after (now that is ${lock.retainUntil})`;
  const step = stepIn('archiving');
  const ifSucceeded = 'where the job succeeded';
  return [
    step('call', 'hotFiles.list', `${request.tenant}/${outputPrefix}`, 'without checkpoints/, logs/ and .penstock/'),
    step('move', 'hot -> warm', at, 'CRC32C of each file'),
    step('call', 'warm.read', at, 'every byte, against the manifest'),
    step('call', 'warm.writeBytes', `${at}${OUTPUT_RECORD}`, 'if none match: from then on the output is published'),
    step('call', 'hotFiles.remove', `${request.tenant}/${outputPrefix}`, 'what was verified, and nothing else'),
    step('move', 'warm -> cold', at, `${ifSucceeded}: Object Lock ${lock.mode} until ${retainUntil}`),
    step('call', 'cold.read', at, `${ifSucceeded}: every byte, against the manifest, and every retention`),
    step('call', 'cold.writeBytes', `${at}${OUTPUT_RECORD}`, `${ifSucceeded}: locked alike`),
    step('call', 'warm.remove', at, `${ifSucceeded}: what was verified, and nothing else`),
    step('call', 'retain', retentionWorkflowId(request), `${ifSucceeded}: every lock is attested every ${plan.policies.attestDays} days until it ends`),
  ];
}
