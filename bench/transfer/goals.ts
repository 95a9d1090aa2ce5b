/** What ours is held to against the best peer of the same run. */
import type { Goal } from '../harness/rows.ts';
import type { Operation, Stage } from './cases.ts';
import { isSmall } from './workload.ts';

/** Of objects per second where they are small, else of bytes per second. */
export function throughputGoal({ transport, workload }: Stage, operation: Operation): Goal | undefined {
  switch (operation) {
    case 'up':
      return { comparison: '>=', limit: isSmall(workload) ? 1.2 : transport === 'http' ? 1.5 : 1 };
    case 'down':
      return { comparison: '>=', limit: isSmall(workload) ? 1.2 : 1 };
    case 'copy':
      return { comparison: '>=', limit: 0.95 };
    case 'stream':
      return undefined;
    default:
      return operation satisfies never;
  }
}

export function cpuGoal({ transport, workload }: Stage, operation: Operation): Goal | undefined {
  if (isSmall(workload)) return undefined;
  if (operation === 'up' && transport === 'http') return { comparison: '<=', limit: 0.4 };
  return operation === 'down' ? { comparison: '<=', limit: 1 } : undefined;
}
