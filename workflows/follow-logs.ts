/**
 * Ships the logs of an allocation while it runs: an activity for a group of nodes, a turn of hours at a time, whatever they write. Its allocation cancels it when the job is over, and
 * `archiveLogs` ships the rest; where nobody does, it ends when the job's time is over.
 */
import { continueAsNew, isCancellation, setCurrentDetails } from '@temporalio/workflow';
import type { LogActivities } from '../activities/logs.ts';
import { type AllocationKey, LOGS_QUEUE } from '../model/identifiers.ts';
import { formatBytes } from '../model/quantity.ts';
import { activities } from './presets.ts';

export interface FollowRequest extends AllocationKey {
  readonly nodes: readonly string[];
  /** ISO instant. */
  readonly until: string;
  readonly heartbeatSeconds: number;
}

/** A thousand nodes are four activities; each looks at 500 files. */
const NODES_PER_FOLLOWER = 250;
/** Within the preset's 12 hours. */
const TURN_SECONDS = 4 * 3600;
/** Three events a group, four groups, and three for the task: 90 in a run of a day. */
const TURNS_PER_RUN = 6;

export async function followLogs(request: FollowRequest): Promise<void> {
  const { nodes, until, heartbeatSeconds, ...key } = request;
  const groups = Array.from({ length: Math.ceil(nodes.length / NODES_PER_FOLLOWER) }, (_, group) =>
    nodes.slice(group * NODES_PER_FOLLOWER, (group + 1) * NODES_PER_FOLLOWER),
  );
  try {
    for (let turn = 0; ; turn++) {
      const remainingSeconds = (Date.parse(until) - Date.now()) / 1000;
      if (remainingSeconds <= 0) return;
      if (turn === TURNS_PER_RUN) await continueAsNew<typeof followLogs>(request);
      const turnSeconds = Math.min(TURN_SECONDS, remainingSeconds);
      const states = await Promise.all(groups.map((group) => follow(group, turnSeconds, key, heartbeatSeconds)));
      const [chunks, rawBytes] = [states.reduce((sum, state) => sum + state.chunks, 0), states.reduce((sum, state) => sum + state.rawBytes, 0)];
      setCurrentDetails(`**${chunks} chunks**, ${formatBytes(rawBytes)} of ${nodes.length} nodes`);
    }
  } catch (error) {
    // The job is over: `archiveLogs` ships what is left.
    if (!isCancellation(error)) throw error;
  }
}

function follow(group: readonly string[], turnSeconds: number, key: AllocationKey, heartbeatSeconds: number) {
  const names = group.length === 1 ? group[0] : `${group.length} nodes from ${group[0]} on`;
  return activities<LogActivities>('bulk', { queue: LOGS_QUEUE, heartbeatSeconds, summary: `follow the logs of ${names}` }).followLogs({
    ...key,
    nodes: group,
    turnSeconds,
  });
}
