/** A broker's state in arguments of less than 64 KiB each: what a payload may be. Fifteen hundred reservations are twenty-five of them, and all of them less than the 2 MB of an event. */
import type { BrokerState, Ended, Reservation } from '../../model/broker-state.ts';

/** A reservation is at most some 900 bytes, an ended one some 370. */
const RESERVATIONS_A_PAGE = 60;
const ENDED_A_PAGE = 160;

export type BrokerPage =
  /** Of an earlier version it has no outages. */
  | { readonly kind: 'head'; readonly head: Omit<BrokerState, 'reservations' | 'ended' | 'outages'> & Partial<Pick<BrokerState, 'outages'>> }
  | { readonly kind: 'reservations'; readonly reservations: readonly Reservation[] }
  | { readonly kind: 'ended'; readonly ended: readonly Ended[] };

export function pagesOf({ reservations, ended, ...head }: BrokerState): BrokerPage[] {
  return [
    { kind: 'head', head },
    ...cut(reservations, RESERVATIONS_A_PAGE).map((page): BrokerPage => ({ kind: 'reservations', reservations: page })),
    ...cut(ended, ENDED_A_PAGE).map((page): BrokerPage => ({ kind: 'ended', ended: page })),
  ];
}

/** Undefined where the pages hold none. */
export function stateOf(pages: readonly BrokerPage[]): BrokerState | undefined {
  const head = pages.find((page) => page.kind === 'head')?.head;
  return (
    head && {
      ...head,
      outages: head.outages ?? [],
      reservations: pages.flatMap((page) => (page.kind === 'reservations' ? page.reservations : [])),
      ended: pages.flatMap((page) => (page.kind === 'ended' ? page.ended : [])),
    }
  );
}

function cut<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, index) => items.slice(index * size, (index + 1) * size));
}
