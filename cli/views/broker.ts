/** A broker's state as text. */
import { type BrokerOverview, type HolderOverview, renderOutage, type Totals } from '../../model/broker-overview.ts';
import { formatBandwidth, formatBytes } from '../../model/quantity.ts';
import { renderTable } from '../output/table.ts';

export function brokerText({ state, pausedSince, capacityBytesPerSecond, heldBytesPerSecond, outages = [], classes, ...rest }: BrokerOverview): string {
  const { tenants = [], holders, waiting } = rest;
  const used = classes.filter((each) => each.holding + each.waiting > 0);
  const since = pausedSince === undefined ? '' : ` since ${pausedSince}`;
  const parts = [`${state}${since}: ${formatBandwidth(heldBytesPerSecond)} of ${formatBandwidth(capacityBytesPerSecond)} held`];
  parts.push(...outages.map((outage) => renderOutage(outage).replaceAll('**', '').slice('- '.length)));
  if (used.length > 0) {
    const rows = used.map((each) => [each.class, ...totalsRow(each)]);
    parts.push(renderTable(['class', ...TOTALS], rows));
  }
  if (tenants.length > 0) {
    const rows = tenants.map((each) => [each.tenant, each.class, ...totalsRow(each)]);
    parts.push(`tenants\n${renderTable(['tenant', 'class', ...TOTALS], rows)}`);
  }
  if (holders.length > 0) parts.push(`holders\n${holderTable(holders)}`);
  if (waiting.length > 0) parts.push(`waiting\n${holderTable(waiting)}`);
  return parts.join('\n\n');
}

const TOTALS = ['windows', 'rate', 'reserved', 'used', 'waiting', 'oldest waits since', 'to move'];

const totalsRow = ({ holding, bytesPerSecond, reservedBytesPerSecond = 0, usedBytesPerSecond = 0, waiting, oldestWaiter = '', remainingBytes }: Totals) => [
  String(holding),
  formatBandwidth(bytesPerSecond),
  formatBandwidth(reservedBytesPerSecond),
  formatBandwidth(usedBytesPerSecond),
  String(waiting),
  oldestWaiter,
  formatBytes(remainingBytes),
];

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
