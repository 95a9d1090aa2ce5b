import type { MountPlan } from '../../model/mount-plan.ts';
import { formatBandwidth, formatBytes } from '../../model/quantity.ts';
import { renderFacts, renderTable } from '../output/table.ts';

/** What a prologue mounts: a row a mount, then where the job may write. */
export function mountPlanText(plan: MountPlan): string {
  const mounts = renderTable(
    ['target', 'access', 'from', 'floor', 'ceiling', 'export', 'snapshot'],
    plan.mounts.map((mount) => [
      mount.target,
      mount.access,
      mount.nfs ? `nfs ${mount.nfs.address}:${mount.nfs.path} port ${mount.nfs.port}` : `${mount.s3.endpoint} s3://${mount.s3.bucket}/${mount.s3.prefix}`,
      mount.floorBytesPerSecond > 0 ? formatBandwidth(mount.floorBytesPerSecond) : '-',
      mount.ceilingBytesPerSecond > 0 ? formatBandwidth(mount.ceilingBytesPerSecond) : '-',
      mount.exportId ?? '-',
      mount.snapshotId ?? '-',
    ]),
  );
  const facts = renderFacts([
    ['output', plan.output.uri],
    ['checkpoints', plan.checkpoints?.uri],
    ...plan.scratch.map((each): readonly [string, string] => [
      `scratch ${each.nodeId}`,
      `${each.kind} ${each.path}${each.bytes > 0 ? `, ${formatBytes(each.bytes)}` : ''}`,
    ]),
    ['expires', plan.expiresAt],
  ]);
  return `${mounts}\n\n${facts}`;
}
