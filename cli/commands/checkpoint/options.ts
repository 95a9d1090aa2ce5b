/** What the commands of a node have in common. */
import type { AuditOperation, OperationFacts } from '../../../model/audit.ts';
import { type CheckpointKey, checkpointPrefix } from '../../../model/checkpoint.ts';

export const NODE_OPTION = '--node <id>';
export const NODE_ABOUT = 'the node that this runs on, as the site file names it';

/** As the audit log has it. */
export const checkpointOperation = (
  operation: AuditOperation,
  { tenant, project, allocationId, checkpointId }: CheckpointKey,
  nodeId: string,
): OperationFacts => ({
  operation,
  tenant,
  project,
  allocationId,
  nodeId,
  paths: [`s3://${checkpointPrefix({ tenant, project, allocationId, checkpointId })}`],
});
