/** 288 racks that all have 8 TB to drain at the same moment, beside traffic that answers people: what is offered to the fabric and what it carries, with a broker and without. Nothing here waits. */
import { type ReserveInput, ReserveSchema } from '../../model/broker.ts';
import { type SimulatedSender, simulate } from '../../model/broker-simulation.ts';
import { FabricSchema } from '../../model/fabric.ts';

export const RACKS = 288;
const RACK_BYTES = 8e12;
/** 14 cells become 18. */
export const STORED_BYTES = (RACK_BYTES * 18) / 14;
/** 800 Gbit/s, one of the storage fabric's rails. */
const RACK_RATE = 100e9;
const CONNECTIONS_A_SENDER = 18;
const ANSWERING = 16;
const ANSWERING_RATE = 40e9;
const STORM_AT_SECONDS = 60;
export const PICTURE_SECONDS = 1200;

export const fabric = FabricSchema.parse({ capacity: '4TB/s', leaseSeconds: 30 });

/** In bytes per second from that second on, until the next. */
export interface Point {
  readonly second: number;
  readonly offered: number;
  readonly answering: number;
}
export interface Storm {
  readonly points: readonly Point[];
  /** Seconds after the storm's begin at which each rack had drained, in order. */
  readonly drainedSeconds: readonly number[];
}

/** Whoever has something sends it, and the fabric gives each connection the same: a fair network is fair to connections, not to people. */
export function withoutBroker(): Storm {
  const each = fabric.capacity / ((RACKS + ANSWERING) * CONNECTIONS_A_SENDER);
  const rackRate = Math.min(RACK_RATE, (fabric.capacity - each * ANSWERING * CONNECTIONS_A_SENDER) / RACKS);
  const seconds = STORED_BYTES / rackRate;
  const wanted = ANSWERING * ANSWERING_RATE;
  const points = [
    { second: 0, offered: wanted, answering: wanted },
    { second: STORM_AT_SECONDS, offered: wanted + RACKS * RACK_RATE, answering: each * ANSWERING * CONNECTIONS_A_SENDER },
    { second: STORM_AT_SECONDS + seconds, offered: wanted, answering: wanted },
    { second: PICTURE_SECONDS, offered: wanted, answering: wanted },
  ];
  return { points, drainedSeconds: Array.from({ length: RACKS }, () => seconds) };
}

export function withBroker(): Storm {
  const sender = (arrivesSeconds: number, wish: ReserveInput): SimulatedSender => ({ arrivesMs: arrivesSeconds * 1000, request: ReserveSchema.parse(wish) });
  const answering = Array.from({ length: ANSWERING }, (_, index) =>
    sender(0, {
      requestId: `answering-${index}`,
      class: 'inference',
      tenant: 'service',
      bytes: ANSWERING_RATE * PICTURE_SECONDS,
      leastUsefulRate: ANSWERING_RATE,
      mostUsefulRate: ANSWERING_RATE,
    }),
  );
  const racks = Array.from({ length: RACKS }, (_, index) =>
    sender(STORM_AT_SECONDS, {
      requestId: `rack-${index}`,
      class: 'drain',
      tenant: `tenant-${index % 6}`,
      bytes: Math.ceil(STORED_BYTES),
      mostUsefulRate: RACK_RATE,
      // Racks that have computed for longer have more to lose.
      atRiskSeconds: (index % 4) * 600,
    }),
  );
  const { ends, rates } = simulate(fabric, [...answering, ...racks]);
  const points = rates.map(({ atMs, bytesPerSecond }) => ({
    second: atMs / 1000,
    offered: Object.values(bytesPerSecond).reduce((sum, rate) => sum + rate, 0),
    answering: bytesPerSecond.inference,
  }));
  const drained = ends.filter(({ requestId }) => requestId.startsWith('rack-')).map(({ endMs }) => endMs / 1000 - STORM_AT_SECONDS);
  return { points, drainedSeconds: drained.sort((a, b) => a - b) };
}
