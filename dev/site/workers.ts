/** The site's worker processes. */
import { hasSaidReady, nodeCommand } from './node-process.ts';
import type { ServiceDefinition } from './service.ts';

export const WORKER_PROGRAM = 'workers/main.ts';
export const workerRoles = ['control', 'data'] as const;

export function worker(role: (typeof workerRoles)[number], siteFile: string): ServiceDefinition {
  return {
    name: `worker-${role}`,
    command: () => nodeCommand(WORKER_PROGRAM, ['--site', siteFile, '--role', role]),
    isReady: hasSaidReady,
    readyTimeoutMilliseconds: 120_000, // bundling the workflows on two busy cores
    stopGraceMilliseconds: 15_000,
  };
}
