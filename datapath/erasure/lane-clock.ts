/**
 * How long the others wait for a rack: not longer than it takes to know that it is out of step. A lane that holds up the rest (sixteen at least are idle, or will
 * be with a spare in its place, and the writer waits too) may do so for a while and a tenth of the time in all; one that takes nothing at all, until the stall.
 */
import { PenstockError } from '../../model/errors.ts';
import type { ShardLane } from './lane.ts';
import { WRITE_QUORUM } from './layout.ts';
import { lagOf, type Patience } from './patience.ts';

export interface LaneClock {
  /** After everything that may change who waits for whom. */
  look(state: LaneSetState): void;
  stop(): void;
}

export interface LaneSetState {
  readonly lanes: readonly ShardLane[];
  /** Whether somebody waits for them. */
  readonly isHeldUp: boolean;
  /** Lanes that could be begun anew elsewhere. */
  readonly replaceable: number;
}

interface Account {
  readonly openedAt: number;
  /** So far held up the others, in milliseconds. */
  held: number;
  heldSince: number | undefined;
}

/** A slow rack is left out of a long write even where its single delays are short. */
const SHARE_OF_TIME = 0.1;

/** Our own timer came so much too late: this process was busy, and knows of no rack how fast it was meanwhile. */
const BUSY_MILLISECONDS = 50;

export function createLaneClock(patience: Patience): LaneClock {
  const accounts = new WeakMap<ShardLane, Account>();
  const lag = lagOf(patience);
  let timer: NodeJS.Timeout | undefined;
  let latest: LaneSetState | undefined;
  let busyUntil = 0;
  return {
    look(state) {
      latest = state;
      arm(Math.min(...judged(state).map(({ left }) => left)));
    },
    stop() {
      latest = undefined;
      clearTimeout(timer);
    },
  };

  function arm(milliseconds: number): void {
    clearTimeout(timer);
    if (milliseconds === Number.POSITIVE_INFINITY) return;
    const due = performance.now() + Math.max(1, milliseconds);
    timer = setTimeout(
      () => {
        if (performance.now() - due > BUSY_MILLISECONDS) busyUntil = performance.now();
        // Behind what the racks did in the meantime.
        setImmediate(failOverdue);
      },
      Math.ceil(Math.max(1, milliseconds)),
    );
  }

  function failOverdue(): void {
    if (!latest) return;
    const all = judged(latest);
    for (const { lane, left, isStalled } of all) {
      if (left <= 0) lane.fail(isStalled ? stalled(lane, patience.stallMilliseconds) : lagging(lane, accounts.get(lane)?.held ?? 0));
    }
    const next = all.filter(({ left }) => left > 0).map(({ left }) => left);
    if (next.length === all.length) arm(Math.min(...next));
  }

  /** The lanes that somebody waits for, with the milliseconds that each has left. */
  function judged({ isHeldUp, lanes, replaceable }: LaneSetState) {
    const now = performance.now();
    const idle = lanes.filter((lane) => lane.isIdle()).length;
    // With the quorum through, any other may go; before that, only as many as spares can stand in for, and where that would make a quorum.
    const isOutrun = isHeldUp && idle + replaceable >= WRITE_QUORUM;
    let mayGo = idle >= WRITE_QUORUM ? lanes.length : replaceable;
    return lanes.flatMap((lane) => {
      const account = accounts.get(lane) ?? { openedAt: now, held: 0, heldSince: undefined };
      accounts.set(lane, account);
      const holds = isOutrun && !lane.isIdle() && mayGo-- > 0;
      if (account.heldSince !== undefined) account.held += now - Math.min(now, Math.max(account.heldSince, busyUntil));
      account.heldSince = holds ? now : undefined;
      if (lane.isIdle()) return [];
      const untilStall = Math.max(lane.progressedAt(), busyUntil) + patience.stallMilliseconds - now;
      const untilLag = holds ? lag + SHARE_OF_TIME * (now - account.openedAt) - account.held : Number.POSITIVE_INFINITY;
      return [{ lane, left: Math.min(untilStall, untilLag), isStalled: untilStall <= untilLag }];
    });
  }
}

function stalled({ rack }: ShardLane, milliseconds: number): PenstockError {
  return new PenstockError('StoreUnavailable', `the rack took nothing for ${milliseconds / 1000} s.`, { store: rack.id });
}
function lagging({ rack }: ShardLane, milliseconds: number): PenstockError {
  return new PenstockError('StoreUnavailable', `the rack held up the others for ${(milliseconds / 1000).toFixed(1)} s.`, { store: rack.id });
}
