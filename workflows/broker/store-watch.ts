/**
 * What a broker does about a store that has failed somebody: it asks the store itself, once, and where that does not answer, again and again until it does. So holders
 * need not, and one that failed for a reason of its own stops nobody.
 */
import { ApplicationFailure, CancellationScope, isCancellation } from '@temporalio/workflow';
import type { BrokerActivities } from '../../activities/broker.ts';
import type { Outage } from '../../model/broker-state.ts';
import { CONTROL_QUEUE } from '../../model/identifiers.ts';
import { rootCause } from '../failures.ts';
import { activities } from '../presets.ts';

/** A store that has answered is not asked again before: a holder's own trouble would cost nine events a try. */
const CALM_MS = 15_000;

export interface StoreWatch {
  /** Somebody's work with it failed. */
  suspect(store: string): void;
  /** With what was out in the run before. */
  goOn(outages: readonly Outage[]): void;
  /** The next run goes on. */
  stop(): void;
}

export interface WatchedStores {
  readonly onOutage: (store: string, why: string) => void;
  readonly onAnswer: (store: string) => void;
}

export function createStoreWatch({ onOutage, onAnswer }: WatchedStores): StoreWatch {
  const watched = new Map<string, CancellationScope>();
  const answeredMs = new Map<string, number>();

  /** Also of a store that was suspected before the outage of an earlier run was known here. */
  const hasAnswered = (store: string): void => {
    answeredMs.set(store, Date.now());
    onAnswer(store);
  };
  const untilAnswer = async (store: string): Promise<void> => {
    await activities<BrokerActivities>('probe', { queue: CONTROL_QUEUE, summary: `ask ${store} until it answers` }).askStore(store);
    hasAnswered(store);
  };
  const confirm = async (store: string): Promise<void> => {
    const why = await silenceOf(store);
    if (why === undefined) return hasAnswered(store);
    onOutage(store, why);
    await untilAnswer(store);
  };
  const begin = (store: string, work: (store: string) => Promise<void>): void => {
    const scope = new CancellationScope();
    watched.set(store, scope);
    scope
      .run(() => work(store))
      .catch((error: unknown) => {
        // A store that the site file has no more holds nobody up.
        if (!isCancellation(error)) onAnswer(store);
      })
      .finally(() => watched.delete(store));
  };

  return {
    suspect(store) {
      const isCalm = Date.now() - (answeredMs.get(store) ?? 0) < CALM_MS;
      if (!watched.has(store) && !isCalm) begin(store, confirm);
    },
    goOn(outages) {
      for (const { store, answeredMs: answered } of outages) if (answered === null && !watched.has(store)) begin(store, untilAnswer);
    },
    stop() {
      for (const scope of watched.values()) scope.cancel();
    },
  };
}

/** Undefined where it answers, and where the question itself failed. */
async function silenceOf(store: string): Promise<string | undefined> {
  try {
    await activities<BrokerActivities>('glance', { queue: CONTROL_QUEUE, summary: `ask ${store} whether it answers` }).askStore(store);
    return undefined;
  } catch (error) {
    if (isCancellation(error)) throw error;
    const cause = rootCause(error);
    return cause instanceof ApplicationFailure && cause.type === 'StoreUnavailable' ? cause.message : undefined;
  }
}
