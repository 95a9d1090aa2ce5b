/** A broker's state as text. */
import type { BrokerOverview, HolderOverview } from '../../model/broker-overview.ts';
import { formatBandwidth, formatBytes } from '../../model/quantity.ts';
import { renderTable } from '../output/table.ts';

export function brokerText({ state, capacityBytesPerSecond, heldBytesPerSecond, classes, holders, waiting }: BrokerOverview): string {
  const used = classes.filter((each) => each.holding + each.waiting > 0);
  const parts = [`${state}: ${formatBandwidth(heldBytesPerSecond)} of ${formatBandwidth(capacityBytesPerSecond)} held`];
  if (used.length > 0) {
    const rows = used.map((each) => [
      each.class,
      String(each.holding),
      formatBandwidth(each.bytesPerSecond),
      String(each.waiting),
      formatBytes(each.remainingBytes),
    ]);
    parts.push(renderTable(['class', 'windows', 'rate', 'waiting', 'to move'], rows));
  }
  if (holders.length > 0) parts.push(`holders\n${holderTable(holders)}`);
  if (waiting.length > 0) parts.push(`waiting\n${holderTable(waiting)}`);
  return parts.join('\n\n');
}

function holderTable(holders: readonly HolderOverview[]): string {
  const rows = holders.map((each) => [
    each.requestId,
    each.class,
    each.tenant,
    formatBandwidth(each.bytesPerSecond),
    formatBytes(each.remainingBytes),
    each.since,
  ]);
  return renderTable(['request', 'class', 'tenant', 'rate', 'to move', 'since'], rows);
}
