import { formatBytes } from '../../model/quantity.ts';
import type { ReplicationCounts } from '../../model/replication.ts';
import { renderFacts, renderTable } from '../output/table.ts';

export function replicationText(to: string, { copied, existed, mended, bytes, leastMargin, notCopied, notCopiedCount }: ReplicationCounts): string {
  const facts = renderFacts([
    ['copied', `${copied} objects to ${to}, read back there`],
    ['were there', `${existed} objects with equal content${mended ? `, ${mended} of them mended` : ''}`],
    ['content', formatBytes(bytes)],
    ['margin', leastMargin === undefined ? undefined : `every copy may lose ${leastMargin} racks`],
    ['not copied', notCopiedCount > 0 ? `${notCopiedCount} objects` : undefined],
  ]);
  if (notCopiedCount === 0) return facts;
  const rows = notCopied.map(({ key, type, message }) => [key, type, message]);
  return `${facts}\n\n${renderTable(['not copied', 'type', 'why'], rows)}`;
}

export const replicationLine = ({ copied, existed, bytes, notCopiedCount }: ReplicationCounts): string =>
  `copying: ${copied} copied, ${existed} were there, ${formatBytes(bytes)}${notCopiedCount > 0 ? `, ${notCopiedCount} not copied` : ''}`;
