/** A broker's figures for Prometheus: per fabric, class and tenant. Told by the worker that runs the broker, and not again in a replay. */
import { metricMeter } from '@temporalio/workflow';
import { tenantTotals } from '../../model/broker-overview.ts';
import type { BrokerState } from '../../model/broker-state.ts';

/** A scrape comes every 15 s or so; an empty broker is told at once, for nothing may follow. */
const EVERY_MS = 5000;

/** @returns what tells a state, if it is time */
export function recordTotals(fabric: string): (state: BrokerState) => void {
  const gauge = (name: string, unit: string | undefined, about: string) => metricMeter.createGauge(`penstock_broker_${name}`, 'int', unit, about);
  const capacity = gauge('capacity_bytes_per_second', undefined, 'what the fabric carries');
  const reserved = gauge('reserved_bytes_per_second', undefined, 'held for windows until they end');
  const granted = gauge('granted_bytes_per_second', undefined, 'the most that may be sent now');
  const used = gauge('used_bytes_per_second', undefined, 'sent, by the last renewals');
  const waiting = gauge('waiting', undefined, 'requests without a window');
  const oldest = gauge('oldest_waiter_seconds', 's', 'how long the oldest of them has waited');
  const paused = gauge('paused_seconds', 's', 'how long the fabric has been paused by an operator; 0 where it is not');
  const silent = gauge('store_silent_seconds', 's', 'how long a store of the fabric has not answered; 0 where it does');
  const everOut = new Set<string>();
  const shown = new Map<string, { class: string; tenant: string }>();
  let toldMs = 0;

  return (state) => {
    const { nowMs, reservations } = state;
    if (reservations.length > 0 && nowMs - toldMs < EVERY_MS) return;
    toldMs = nowMs;
    const now = new Map(tenantTotals(state).map((each) => [`${each.class} ${each.tenant}`, each]));
    for (const [key, { class: kind, tenant }] of now) shown.set(key, { class: kind, tenant });
    for (const [key, names] of shown) {
      const tags = { fabric, ...names };
      const totals = now.get(key);
      reserved.set(totals?.reservedBytesPerSecond ?? 0, tags);
      granted.set(totals?.bytesPerSecond ?? 0, tags);
      used.set(totals?.usedBytesPerSecond ?? 0, tags);
      waiting.set(totals?.waiting ?? 0, tags);
      oldest.set(totals?.oldestWaiter === undefined ? 0 : secondsSince(Date.parse(totals.oldestWaiter), nowMs), tags);
      // Told once as nothing.
      if (!totals) shown.delete(key);
    }
    capacity.set(state.fabric.capacity, { fabric });
    paused.set(state.isPaused ? secondsSince(state.pausedSinceMs ?? nowMs, nowMs) : 0, { fabric });
    for (const { store } of state.outages) everOut.add(store);
    for (const store of everOut) {
      const outage = state.outages.find((each) => each.store === store && each.answeredMs === null);
      silent.set(outage ? secondsSince(outage.sinceMs, nowMs) : 0, { fabric, store });
    }
  };
}

const secondsSince = (ms: number, nowMs: number): number => Math.max(0, Math.round((nowMs - ms) / 1000));
