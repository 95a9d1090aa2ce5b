/** Starting: directories and buckets, exports with their floors, snapshots, scratch on each node. */
import { hotPath, networkScratch, nodePlaces } from '../../activities/places.ts';
import type { ResolvedMount } from '../../model/data-declaration.ts';
import { formatBandwidth, formatBytes, formatSeconds } from '../../model/quantity.ts';
import type { PlanStep } from './dry-run.ts';
import { stepIn } from './step.ts';
import type { PlanInput } from './steps.ts';

const step = stepIn('starting');

export function startingSteps({ request, plan }: PlanInput): PlanStep[] {
  const { data, policies } = plan;
  const expiry = `for ${formatSeconds(request.walltimeSeconds + policies.leaseGraceSeconds)} at most`;
  const homes = data.mounts.filter((mount) => mount.scheme === 'nfs').map((mount) => `${mount.bucket}/${mount.prefix}`);
  const prefixes = [data.outputPrefix, ...(data.checkpointPrefix === undefined ? [] : [data.checkpointPrefix])].map((prefix) => `${request.tenant}/${prefix}`);
  const snapshots = data.mounts.filter((mount) => mount.tierHint === 'hot' && mount.access === 'read-only');
  return [
    ...[...prefixes, ...homes].map((directory) => step('call', 'hotFiles.ensureDirectory', directory.replace(/\/+$/, ''))),
    step('call', 'warm.ensureBucket', request.tenant),
    step('call', 'cold.ensureBucket', request.tenant, 'with Object Lock'),
    ...data.mounts.flatMap((mount) => exportSteps(mount, expiry)),
    ...snapshots.map((mount) =>
      step('call', 'hot.createSnapshot', pathOf(mount), `kept ${formatSeconds(policies.snapshotHours * 3600)}; later where the data is still arriving`),
    ),
    ...scratchSteps(request, data.scratchBytesPerNode, expiry),
  ];
}

function exportSteps(mount: ResolvedMount, expiry: string): PlanStep[] {
  // Read in place over S3, with the tenant's own credentials: nothing to open, nothing to close.
  if (mount.tierHint === 'warm') return [];
  const ceiling = mount.ceilingBytesPerSecond > 0 ? `, at most ${formatBandwidth(mount.ceilingBytesPerSecond)}` : '';
  return [
    step('call', 'hot.createExport', pathOf(mount), `${mount.access} as ${mount.target}${ceiling}, ${expiry}`),
    ...(mount.floorBytesPerSecond > 0 ? [step('call', 'hot.setQos', pathOf(mount), `floor ${formatBandwidth(mount.floorBytesPerSecond)}${ceiling}`)] : []),
  ];
}

function scratchSteps(request: PlanInput['request'], bytes: number, expiry: string): PlanStep[] {
  const places = nodePlaces(request);
  const size = bytes > 0 ? `${formatBytes(bytes)}, ` : '';
  const nvme = [
    step('call', 'node.freeBytes', places.scratch, `${size}each node with nvme_scratch`),
    step('call', 'node.ensureDirectory', places.scratch, 'each node with nvme_scratch'),
  ];
  const network = [
    ...(bytes > 0 ? [{ ...step('call', 'hot.reserve', `/${networkScratch(request, '<node>')}`, `each other node, ${expiry}`), bytes }] : []),
    step('call', 'hotFiles.ensureDirectory', networkScratch(request, '<node>'), 'each other node'),
  ];
  return [step('call', 'node.ensureDirectory', places.logs, 'each node'), ...nvme, ...(request.requiredFeatures.includes('nvme_scratch') ? [] : network)];
}

const pathOf = (mount: ResolvedMount): string => hotPath(mount.bucket, mount.prefix);
