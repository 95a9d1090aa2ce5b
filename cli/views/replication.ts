import type { ReplicaOverview } from '../../activities/erasure-overview.ts';
import type { ReplicationRow } from '../../client/replications.ts';
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

/** Other sites' sets, and the last copyings; nothing where the site has none. @param copies undefined where Temporal is away, and nobody knows */
export function replicasText(replicas: readonly ReplicaOverview[], copies: readonly ReplicationRow[] | undefined): string[] {
  if (replicas.length === 0) return [];
  const sets = renderTable(
    ['replica', 'racks that answer', ''],
    replicas.map(({ name, racks, silentRacks, problem }) => [
      name,
      problem === undefined ? `${racks - silentRacks.length} of ${racks}` : 'NONE',
      problem ?? (silentRacks.length > 0 ? `not: ${silentRacks.join(', ')}` : ''),
    ]),
  );
  if (!copies) return [sets];
  if (copies.length === 0) return [sets, 'Temporal remembers no copying to another site.'];
  const titles = ['copying', 'state', 'since', 'copied', 'were there', 'of these mended', 'not copied', 'least margin'];
  return [sets, renderTable(titles, copies.map(copyRow))];
}

function copyRow({ to, replicationId, state, startedAt, counts }: ReplicationRow): string[] {
  const shown = counts ? [counts.copied, counts.existed, counts.mended ?? 0, counts.notCopiedCount, counts.leastMargin ?? '-'] : ['-', '-', '-', '-', '-'];
  return [`${to}/${replicationId}`, state, startedAt, ...shown.map(String)];
}
