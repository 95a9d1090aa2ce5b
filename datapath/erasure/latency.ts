/**
 * How long racks usually take, as this process has seen it: whom to ask first, and when an answer is late. One figure per rack and size of request,
 * gone with the rack's driver, and forgotten after a while, so that a rack that was slow once is tried again.
 */
import type { RackStore } from '../../drivers/rack-store/port.ts';

/** Of the newest measurement. */
const WEIGHT = 0.25;
/** Below, a request's own cost decides; above, its bytes. */
const LARGE_FROM_BYTES = 65_536;
const BELIEVED_MILLISECONDS = 30_000;
/** Late, or slow: so many times what racks usually take... */
const MULTIPLE = 4;
/** ... and at least this: a busy process answers itself late. */
const FLOOR_MILLISECONDS = 50;
/** While nothing is known. */
const FIRST_LIMIT_MILLISECONDS = 1_000;

interface Usual {
  readonly milliseconds: number;
  readonly at: number;
}
const seen = { small: new WeakMap<RackStore, Usual>(), large: new WeakMap<RackStore, Usual>() };
const seenFor = (bytes: number): WeakMap<RackStore, Usual> => (bytes < LARGE_FROM_BYTES ? seen.small : seen.large);

/** @param milliseconds so far, where the request was given up */
export function noteLatency(rack: RackStore, bytes: number, milliseconds: number): void {
  const before = usualLatency(rack, bytes);
  const average = before === undefined ? milliseconds : before + WEIGHT * (milliseconds - before);
  seenFor(bytes).set(rack, { milliseconds: average, at: performance.now() });
}

/** Undefined where it was not asked lately. */
export function usualLatency(rack: RackStore, bytes: number): number | undefined {
  const usual = seenFor(bytes).get(rack);
  return usual && performance.now() - usual.at < BELIEVED_MILLISECONDS ? usual.milliseconds : undefined;
}

/** An answer of any of these racks is late after so long: a multiple of what the middle one of them usually takes. */
export function lateAfterMilliseconds(racks: readonly RackStore[], bytes: number): number {
  const usual = racks.flatMap((rack) => usualLatency(rack, bytes) ?? []).sort((a, b) => a - b);
  const middle = usual[usual.length >> 1];
  return middle === undefined ? FIRST_LIMIT_MILLISECONDS : Math.max(FLOOR_MILLISECONDS, MULTIPLE * middle);
}
