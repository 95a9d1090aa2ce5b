import type { AllocationInput, AllocationStatus, CommittedCheckpoint, MountPlan, Penstock } from '../../client/index.ts';
import type { Stores } from '../../drivers/open-site.ts';
import type { Dataset } from './dataset.ts';

/** What the steps of the demonstration hand on to each other. */
export interface DemoContext {
  directory: string;
  uiUrl: string | undefined;
  siteFile: string;
  stores: Stores;
  penstock: Penstock;
  request: AllocationInput;
  dataset: Dataset;
  plan: MountPlan;
  output: ReadonlyMap<string, Buffer>;
  checkpoint: CommittedCheckpoint;
  checkpointContent: ReadonlyMap<string, Buffer>;
  status: AllocationStatus;
  checks: readonly string[];
}

/** What a step may show while it works. */
export interface StepView {
  title: string;
  output: string;
}

export const DEMO_RETENTION_DAYS = 2557; // seven years, leap days included

export function demoAllocation(now = new Date()): AllocationInput {
  return {
    tenant: 'acme',
    project: 'vision',
    allocationId: `demo-${now.toISOString().slice(0, 19).replaceAll(/[-:]/g, '').toLowerCase()}`,
    user: 'ada',
    walltimeSeconds: 3600,
    expectedStart: new Date(now.getTime() + 60_000).toISOString(),
    retention: { retainUntil: new Date(now.getTime() + DEMO_RETENTION_DAYS * 86_400_000).toISOString() },
    data: {
      mounts: [
        { source: 's3://training-data/packages', target: '/data/input', tier_hint: 'hot', access: 'read-only', bandwidth_floor: '200MB/s' },
        { source: 'nfs://home/{user}', target: '/home/{user}', access: 'read-write' },
      ],
      output: 's3://{tenant}/{project}/{allocation_id}/',
      scratch_per_node: '1GB',
    },
  };
}
