/** Which process polls which queues with which activities. Data workers run no workflows: bytes must not delay decisions. */
import type { WorkerOptions } from '@temporalio/worker';
import { createAdHocActivities } from '../activities/ad-hoc.ts';
import { createAdmissionActivities } from '../activities/admission.ts';
import { createArchivedActivities } from '../activities/archived.ts';
import { createAttestationActivities } from '../activities/attestation.ts';
import { createBrokerActivities } from '../activities/broker.ts';
import { createCheckActivities } from '../activities/check.ts';
import { createCheckpointActivities } from '../activities/checkpoint.ts';
import { createCheckpointRetentionActivities } from '../activities/checkpoint-retention.ts';
import { createDemotionActivities } from '../activities/demotion.ts';
import { createDisposalActivities } from '../activities/disposal.ts';
import { createLimitActivities, createLimitWatch } from '../activities/limits.ts';
import { createLogActivities } from '../activities/logs.ts';
import { createNodeActivities } from '../activities/node.ts';
import { createOutputActivities } from '../activities/output.ts';
import { createRecallActivities } from '../activities/recall.ts';
import { createReleaseActivities } from '../activities/release.ts';
import { createRepairActivities } from '../activities/repair.ts';
import { createReplicationActivities } from '../activities/replication.ts';
import { createRetentionActivities } from '../activities/retention.ts';
import { createScrubActivities } from '../activities/scrub.ts';
import { createStagingActivities } from '../activities/staging.ts';
import { createStartingActivities } from '../activities/starting.ts';
import { createSweepActivities } from '../activities/sweep.ts';
import { createTransferActivities } from '../activities/transfer.ts';
import type { Stores } from '../drivers/open-site.ts';
import { CONTROL_QUEUE, DATA_QUEUE, ERASURE_QUEUE, LOGS_QUEUE, nodeQueue, rackQueue } from '../model/identifiers.ts';
import { bundleWorkflows } from './bundle.ts';

/** control: workflows and calls to management APIs. data: movers, and the racks and nodes of the site file. */
export const roles = ['control', 'data'] as const;
export type Role = (typeof roles)[number];
export const isRole = (text: string | undefined): text is Role => roles.some((role) => role === text);

export type WorkerPlan = Omit<WorkerOptions, 'connection' | 'namespace'>;

export async function workerPlans(role: Role, stores: Stores): Promise<WorkerPlan[]> {
  return role === 'control' ? [await controlPlan(stores)] : dataPlans(stores);
}

/** Temporal's own: so long the workflows that a control worker had in memory wait for it when it is gone. Where workers are taken for dead sooner, it is too. */
const MOST_STICKY_MS = 10_000;

async function controlPlan(stores: Stores): Promise<WorkerPlan> {
  const { openScrub, setErasureLimit } = createScrubActivities(stores);
  const { planRepairs, requeueRepairs, callOffRack } = createRepairActivities(stores);
  const { openDemotion, recordDemotion } = createDemotionActivities(stores);
  return {
    taskQueue: CONTROL_QUEUE,
    workflowBundle: await bundleWorkflows(),
    activities: {
      ...createAdmissionActivities(stores),
      ...createStagingActivities(stores),
      ...createStartingActivities(stores),
      ...createReleaseActivities(stores),
      ...createAdHocActivities(stores),
      ...createLimitActivities(stores),
      ...createBrokerActivities(stores),
      planSweep: createSweepActivities(stores).planSweep,
      openScrub,
      setErasureLimit,
      planRepairs,
      requeueRepairs,
      callOffRack,
      openDemotion,
      recordDemotion,
    },
    maxConcurrentActivityTaskExecutions: 100, // management calls and waits: they hold no memory to speak of
    maxCachedWorkflows: 500,
    stickyQueueScheduleToStartTimeout: Math.min(MOST_STICKY_MS, stores.site.policies.heartbeatSeconds * 1000),
  };
}

function dataPlans(stores: Stores): WorkerPlan[] {
  const staging = createStagingActivities(stores);
  // What is moved and what is checked share a store's limit.
  const limits = createLimitWatch(stores);
  const checkpoints = createCheckpointActivities(stores);
  const { sweepStores, sweepRack, sweepNode } = createSweepActivities(stores);
  const { listDemotion, removeDemoted } = createDemotionActivities(stores);
  const { archiveNodeLogs, followLogs } = createLogActivities(stores);
  const node = { ...createNodeActivities(stores), archiveNodeLogs, sweepNode };
  const racks = [...new Set(stores.site.nodes.map((each) => each.rackId))];
  return [
    {
      taskQueue: DATA_QUEUE,
      activities: {
        ...createTransferActivities(stores, limits),
        ...createOutputActivities(stores),
        ...createArchivedActivities(stores),
        ...createRecallActivities(stores, limits),
        ...createLogActivities(stores),
        ...checkpoints,
        ...createRetentionActivities(stores),
        ...createAttestationActivities(stores, limits),
        ...createDisposalActivities(stores),
        ...createCheckpointRetentionActivities(stores),
        ...createCheckActivities(stores, limits),
        ...createReplicationActivities(stores),
        survey: staging.survey,
        sweepStores,
        listDemotion,
        removeDemoted,
      },
      // A cancellation comes with the answer to a heartbeat; the default would let it wait for 80 % of the heartbeat timeout.
      maxHeartbeatThrottleInterval: '5 seconds',
      maxConcurrentActivityTaskExecutions: 4, // each moves 16 files at once; more would only share the same disks
    },
    {
      taskQueue: ERASURE_QUEUE,
      activities: {
        scrubSegment: createScrubActivities(stores).scrubSegment,
        ...createRepairActivities(stores),
      },
      maxHeartbeatThrottleInterval: '5 seconds',
      maxConcurrentActivityTaskExecutions: 5, // four lanes of repair beside the scrub: at most ten stripes of 18 MiB each
    },
    {
      taskQueue: LOGS_QUEUE,
      activities: { followLogs },
      maxHeartbeatThrottleInterval: '5 seconds',
      maxConcurrentActivityTaskExecutions: 50, // each as long as a job; all of them share one room of memory
    },
    ...racks.map((rackId) => ({ taskQueue: rackQueue(rackId), activities: { ...checkpoints, sweepRack }, maxConcurrentActivityTaskExecutions: 8 })),
    ...stores.site.nodes.map(({ id }) => ({ taskQueue: nodeQueue(id), activities: node, maxConcurrentActivityTaskExecutions: 2 })),
  ];
}
