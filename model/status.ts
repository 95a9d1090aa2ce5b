/** What the `status` query answers, and the picture of it that operators see as current details. */
import type { CheckpointStatus } from './checkpoint.ts';
import type { Phase } from './phase.ts';
import { formatBandwidth, formatBytes, formatSeconds } from './quantity.ts';
import type { Readiness, Reason } from './readiness.ts';

export interface AllocationStatus {
  readonly workflowId: string;
  readonly phase: Phase;
  /** ISO instant at which the phase was entered. */
  readonly since: string;
  /** ISO instant at which the phase's deadline passes; absent where the phase cannot be overrun. */
  readonly deadline?: string;
  readonly readiness: Readiness;
  readonly expectedStart?: string;
  /** False from the moment the scheduler may give the nodes to another job. */
  readonly holdsNodes: boolean;
  readonly nodes: readonly string[];
  /** The newest first, at most 20; `checkpointCounts` counts all. */
  readonly checkpoints: readonly CheckpointStatus[];
  readonly checkpointCounts: { readonly reserved: number; readonly committed: number; readonly drained: number; readonly superseded?: number };
  readonly outcome?: 'succeeded' | 'failed';
  readonly cancel?: { readonly mode: 'drain' | 'abandon'; readonly reason: string };
  /** Why it waits or why it failed. */
  readonly reason?: Reason;
  /** What was done, newest last, at most 40 lines. */
  readonly journal: readonly { readonly at: string; readonly text: string }[];
  readonly output?: OutputStatus;
}

export interface OutputStatus {
  readonly files: number;
  readonly bytes: number;
  /** Where the output is now. */
  readonly locations: readonly string[];
  readonly retainUntil?: string;
}

/** Markdown for the Temporal UI: the phase and the reason first, then the facts. */
export function renderDetails(status: AllocationStatus): string {
  const { readiness } = status;
  const lines = [`**${status.phase}** since ${status.since}${status.deadline ? `, deadline ${status.deadline}` : ''}`];
  if (status.reason) lines.push(`**${status.reason.code}**: ${status.reason.message}`);
  lines.push(
    '', // a list needs it to be one in the UI
    `- data: ${percent(readiness.readiness)} ${readiness.state}, ${readiness.doneFiles} of ${readiness.files} files, ` +
      `${formatBytes(readiness.doneBytes)} of ${formatBytes(readiness.bytes)}` +
      (readiness.bytesPerSecond > 0 ? ` at ${formatBandwidth(readiness.bytesPerSecond)}` : '') +
      (readiness.etaSeconds ? `, ready in about ${formatSeconds(readiness.etaSeconds)}` : ''),
    `- nodes: ${status.holdsNodes ? status.nodes.join(', ') : 'none held'}`,
    `- checkpoints: ${status.checkpointCounts.committed} committed, ${status.checkpointCounts.drained} drained${supersededText(status)}`,
  );
  if (status.output) {
    const { output } = status;
    lines.push(
      `- output: ${output.files} files, ${formatBytes(output.bytes)} in ${output.locations.join(' and ')}` +
        (output.retainUntil ? `, locked until ${output.retainUntil}` : ''),
    );
  }
  lines.push('', ...status.journal.map((entry) => `- ${entry.at} ${entry.text}`));
  return lines.join('\n');
}

export const supersededText = ({ checkpointCounts: { superseded } }: Pick<AllocationStatus, 'checkpointCounts'>): string =>
  superseded === undefined ? '' : `, ${superseded} superseded`;

const percent = (share: number): string => `${Math.floor(share * 100)} %`;
