import { Context } from '@temporalio/activity';
import type { AllocationKey } from '../model/identifiers.ts';

/** A manifest belongs to one run of one workflow: a later listing never overwrites the one that others still read. */
export function manifestPrefix(key: AllocationKey, name: string): string {
  const run = Context.current().info.workflowExecution?.runId ?? 'no-run';
  return `manifests/${key.tenant}/${key.project}/${key.allocationId}/${name}/${run}/`;
}

/** Beside a manifest: its entries with the checksums found while moving them, and those that could not be moved. */
export const movedPrefix = (prefix: string): string => `${prefix}moved/`;
export const failedPrefix = (prefix: string): string => `${prefix}failed/`;
