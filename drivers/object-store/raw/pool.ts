/** A bounded number of connections to one endpoint; the one used last is used next, so that the others may go. */
import type { Connection } from './wire.ts';

/** Stores close idle connections after some seconds of their own; being earlier spares a request that meets a closed one. */
const IDLE_LIMIT_MS = 4_000;
const SWEEP_MS = 1_000;

export interface Lease {
  readonly connection: Connection;
  /** It has carried requests before: without an answer it may merely have idled out. */
  readonly isReused: boolean;
}

export interface Pool {
  /** Waits where all are busy, first come, first served. */
  acquire(signal?: AbortSignal): Lease | Promise<Lease>;
  /** After every exchange, whatever came of it. */
  release(connection: Connection): void;
  /** Closes what rests: after one idle connection proved dead the others are no better. */
  dropIdle(): void;
}

interface Resting {
  readonly connection: Connection;
  readonly since: number;
}
interface Waiter {
  resolve(lease: Lease): void;
}

/** @param open a new connection, which calls back once it is closed */
export function createPool(open: (onClose: () => void) => Connection, maxConnections: number): Pool {
  const idle: Resting[] = [];
  const waiting = new Set<Waiter>();
  let count = 0;
  let sweeper: NodeJS.Timeout | undefined;

  const openLease = (): Lease => {
    count += 1;
    const connection = open(() => {
      count -= 1;
      forget(connection);
      serveWaiters();
    });
    return { connection, isReused: false };
  };

  const forget = (connection: Connection): void => {
    const index = idle.findIndex((resting) => resting.connection === connection);
    if (index !== -1) idle.splice(index, 1);
  };

  const takeIdle = (): Lease | undefined => {
    for (let resting = idle.pop(); resting; resting = idle.pop()) {
      const { connection } = resting;
      if (!connection.isUsable()) continue;
      connection.wake();
      return { connection, isReused: true };
    }
    return undefined;
  };

  const serveWaiters = (): void => {
    for (const waiter of waiting) {
      if (count >= maxConnections) return;
      waiting.delete(waiter);
      waiter.resolve(openLease());
    }
  };

  const dropIdleSince = (limit: number): void => {
    // In order of time: the oldest first.
    while (idle[0] && idle[0].since <= limit) idle.shift()?.connection.destroy(new Error('idle'));
    if (idle.length > 0 || !sweeper) return;
    clearInterval(sweeper);
    sweeper = undefined;
  };

  return {
    acquire(signal) {
      const ready = takeIdle() ?? (count < maxConnections ? openLease() : undefined);
      return ready ?? wait(waiting, signal);
    },
    release(connection) {
      // Of one that is closing, its close tells.
      if (!connection.isUsable()) return;
      const [next] = waiting;
      if (next) {
        waiting.delete(next);
        next.resolve({ connection, isReused: true });
        return;
      }
      connection.rest();
      idle.push({ connection, since: performance.now() });
      sweeper ??= setInterval(() => dropIdleSince(performance.now() - IDLE_LIMIT_MS), SWEEP_MS).unref();
    },
    dropIdle: () => dropIdleSince(Number.POSITIVE_INFINITY),
  };
}

function wait(waiting: Set<Waiter>, signal: AbortSignal | undefined): Promise<Lease> {
  return new Promise((resolve, reject) => {
    const waiter: Waiter = {
      resolve(lease) {
        signal?.removeEventListener('abort', giveUp);
        resolve(lease);
      },
    };
    const giveUp = () => {
      waiting.delete(waiter);
      reject(signal?.reason instanceof Error ? signal.reason : new Error('called off'));
    };
    waiting.add(waiter);
    signal?.addEventListener('abort', giveUp, { once: true });
  });
}
