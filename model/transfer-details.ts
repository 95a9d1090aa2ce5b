/** A transfer as operators see it in the Temporal UI. */
import { formatBandwidth, formatBytes, formatSeconds } from './quantity.ts';
import type { TransferStatus } from './transfer-input.ts';

const FAILED_SHOWN = 5;

/** Markdown: state and reason first, then the facts. */
export function renderTransfer(status: TransferStatus): string {
  const { state, reason, limit } = status;
  const lines = [`**${state}**${status.endedAt ? ` since ${status.endedAt}` : `, started ${status.startedAt}`}`];
  if (reason) lines.push(`**${reason.code}**: ${reason.message}`);
  if (limit === 0 && state === 'moving') lines.push(`**stopped** by its limit of 0: \`penstock transfer rate ${status.transferId} none\` lets it go on`);
  lines.push(
    '', // a list needs it to be one in the UI
    `- ${status.source} -> ${status.target}`,
    `- ${transferLine(status)}${state === 'moving' && status.heardAt !== undefined ? `, as of ${status.heardAt}` : ''}`,
    `- ${status.doneUnits} of ${status.units} units, ${status.lanes} at once, limit ${limit === null ? 'none' : formatBandwidth(limit)}`,
  );
  if (status.failedCount > 0) {
    lines.push(`- ${status.failedCount} entries could not be moved:`);
    lines.push(...status.failed.slice(0, FAILED_SHOWN).map((entry) => `  - ${JSON.stringify(entry.path)}: ${entry.type}: ${entry.message}`));
  }
  return lines.join('\n');
}

/** "3 of 10 files, 1.0 GB of 4.0 GB at 200 MB/s, about 15 s to go"; instead of the rate why there is none, where that is known. */
export function transferLine(status: TransferStatus): string {
  const { doneFiles, files, doneBytes, bytes } = status;
  return `${doneFiles} of ${files} files, ${formatBytes(doneBytes)} of ${formatBytes(bytes)}${paceText(status)}`;
}

function paceText({ state, limit, quietSeconds, heardAt, bytesPerSecond, etaSeconds }: TransferStatus): string {
  if (state === 'moving' && limit === 0) return ', stopped by its limit';
  if (quietSeconds !== undefined) return `, rate 0, no news for ${formatSeconds(quietSeconds)}`;
  if (bytesPerSecond <= 0) return state === 'moving' && heardAt !== undefined ? ', rate 0' : '';
  return ` at ${formatBandwidth(bytesPerSecond)}${etaSeconds ? `, about ${formatSeconds(etaSeconds)} to go` : ''}`;
}
