/** An allocation's status, readiness and checkpoints as people read them. */
import type { CheckpointStatus } from '../../model/checkpoint.ts';
import { formatBandwidth, formatBytes, formatSeconds } from '../../model/quantity.ts';
import type { Readiness } from '../../model/readiness.ts';
import { type AllocationStatus, supersededText } from '../../model/status.ts';
import { escapeLine } from '../output/escape.ts';
import { renderFacts, renderTable } from '../output/table.ts';

const JOURNAL_SHOWN = 12;

export function statusText(status: AllocationStatus): string {
  const { output, reason, cancel } = status;
  const facts = renderFacts([
    ['allocation', status.workflowId.replace(/^allocation\//, '')],
    ['phase', `${status.phase} since ${status.since}`],
    ['deadline', status.deadline],
    ['reason', reason && `${reason.code}: ${reason.message}`],
    ['cancel', cancel && `${cancel.mode}: ${cancel.reason}`],
    ['data', readinessLine(status.readiness)],
    ['expected start', status.expectedStart],
    ['nodes', status.nodes.length === 0 ? undefined : `${status.nodes.join(', ')}${status.holdsNodes ? '' : ' (given back)'}`],
    ['checkpoints', checkpointsLine(status)],
    ['outcome', status.outcome],
    ['output', output && `${output.files} files, ${formatBytes(output.bytes)} in ${output.locations.join(' and ')}`],
    ['locked until', output?.retainUntil],
  ]);
  const journal = status.journal.slice(-JOURNAL_SHOWN).map((entry) => escapeLine(`${entry.at}  ${entry.text}`));
  return journal.length === 0 ? facts : [facts, '', ...journal].join('\n');
}

export function readinessText(readiness: Readiness): string {
  return renderFacts([
    ['readiness', readiness.readiness.toFixed(2)],
    ['data', readinessLine(readiness)],
    ['ready in', readiness.etaSeconds ? `about ${formatSeconds(readiness.etaSeconds)}` : undefined],
    ['reason', readiness.reason && `${readiness.reason.code}: ${readiness.reason.message}`],
    ['pinned until', readiness.pinnedUntil],
  ]);
}

export function readinessLine(readiness: Readiness): string {
  const { state, doneFiles, files, doneBytes, bytes, bytesPerSecond } = readiness;
  const rate = bytesPerSecond > 0 ? ` at ${formatBandwidth(bytesPerSecond)}` : '';
  return `${Math.floor(readiness.readiness * 100)} % ${state}, ${doneFiles} of ${files} files, ${formatBytes(doneBytes)} of ${formatBytes(bytes)}${rate}`;
}

export function checkpointsText(checkpoints: readonly CheckpointStatus[]): string {
  const rows = checkpoints.map((each) => [
    each.checkpointId,
    each.state,
    each.nodeId,
    each.rackId,
    String(each.files),
    formatBytes(each.bytes),
    each.reason ?? (each.keep === undefined ? '' : `kept: ${each.keep}`),
  ]);
  return rows.length === 0 ? 'no checkpoints' : renderTable(['checkpoint', 'state', 'node', 'rack', 'files', 'size', 'reason'], rows);
}

function checkpointsLine(status: AllocationStatus): string | undefined {
  const { checkpointCounts: counts } = status;
  if (counts.reserved + counts.committed + counts.drained === 0) return undefined;
  return `${counts.reserved} reserved, ${counts.committed} committed, ${counts.drained} drained${supersededText(status)}`;
}
