/** What every call of the emulator works on. */
import type { AuditLog } from './audit-log.ts';
import type { EmulatorConfig } from './config.ts';
import type { StateStore } from './state.ts';

export interface Tier {
  readonly config: EmulatorConfig;
  readonly store: StateStore;
  readonly audit: AuditLog;
  /** Milliseconds since the epoch. */
  now(): number;
  /** Aborted when the emulator stops. */
  readonly stopping: AbortSignal;
  /** For what nobody waits for: a sweep or a background job that failed. */
  report(message: string, error: unknown): void;
}

/** An answer to a request with a key: 201 for what it made, 200 for what it found. */
export interface Answer<T> {
  readonly created: boolean;
  readonly value: T;
}

/** The actor of what the tier does by itself: expiry, eviction. */
export const TIER_ACTOR = 'tier';
