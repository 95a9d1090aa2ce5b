/** Tells operators what waits in this machine's spool of the audit log: in the worker's log when it begins and ends, and to Prometheus. */
import type { MetricMeter } from '@temporalio/common';
import type { Logger } from '@temporalio/worker';
import type { OnSpoolState } from '../activities/audit-spool.ts';

export function spoolTeller(meter: MetricMeter, logger: Pick<Logger, 'info' | 'warn'>): OnSpoolState {
  const entriesGauge = meter.createGauge('penstock_audit_spooled_entries', 'int', undefined, 'entries in the spool of this machine, not yet on record');
  const ageGauge = meter.createGauge('penstock_audit_spooled_seconds', 'int', 's', 'how long the oldest of them has waited');
  let isOut = false;
  return ({ entries, since }) => {
    entriesGauge.set(entries);
    ageGauge.set(since === undefined ? 0 : Math.max(0, Math.round((Date.now() - Date.parse(since)) / 1000)));
    if (isOut === entries > 0) return;
    isOut = entries > 0;
    if (isOut) logger.warn('the audit log takes nothing: entries are kept in the spool of this machine', { since, entries });
    else logger.info('the audit log has all that was in the spool of this machine');
  };
}
