/**
 * Follows the logs of many nodes in one loop. Every node is looked at in turn, one that is quiet less and less often; what waits to be shipped is bounded for all
 * of them together. What it knows can be lost at any time: the store has the truth.
 */
import pLimit, { type LimitFunction } from 'p-limit';
import { PenstockError } from '../../model/errors.ts';
import { FollowedNode, type NodeOptions } from './follow-node.ts';

/** What the followers of a process share. */
export interface FollowingRoom {
  /** Bytes that wait to be shipped. Beyond the limit whatever is read is shipped at once, in smaller chunks. */
  readonly waiting: { bytes: number; readonly limit: number };
  /** Nodes that are looked at side by side; each may have two chunks in hand beyond what waits. */
  readonly turns: LimitFunction;
}

export interface FollowLogsOptions extends Pick<NodeOptions, 'chunkBytes' | 'chunkMs' | 'now'> {
  readonly nodes: readonly Pick<NodeOptions, 'nodeId' | 'source' | 'directory' | 'place'>[];
  readonly room: FollowingRoom;
}

export interface FollowedLogs {
  readonly nodes: number;
  readonly chunks: number;
  readonly rawBytes: number;
  /** Nodes whose storage did not answer when it was looked at last, and why; at most five are told. */
  readonly failing: readonly string[];
}

const WAITING_BYTES = 64 * 2 ** 20;
/** With chunks of 8 MiB, raw and packed, another 128 MiB at most. */
const AT_ONCE = 8;
const FASTEST_MS = 1_000;
/** How late a log that was quiet for long is noticed. */
const SLOWEST_MS = 10_000;
/** A log that was quiet for so many times as long is looked at again. */
const QUIET_PART = 4;
const FAILING_TOLD = 5;

export const openRoom = (waitingBytes = WAITING_BYTES): FollowingRoom => ({ waiting: { bytes: 0, limit: waitingBytes }, turns: pLimit(AT_ONCE) });

interface Turn {
  readonly node: FollowedNode;
  /** Its storage's name, as errors of it have it. */
  readonly source: string;
  movedAt: number;
  nextAt: number;
  problem?: string | undefined;
}

export class LogFollower {
  readonly #now: () => number;
  readonly #room: FollowingRoom;
  readonly #turns: readonly Turn[];

  constructor({ nodes, room, ...common }: FollowLogsOptions) {
    this.#now = common.now;
    this.#room = room;
    this.#turns = nodes.map((node) => ({
      node: new FollowedNode({ ...common, ...node, waiting: room.waiting }),
      source: node.source.name,
      movedAt: common.now(),
      nextAt: common.now(),
    }));
  }

  /** Looks at every node whose turn it is. What a node's storage fails with is that node's matter; what the archive fails with is thrown. */
  async round(): Promise<void> {
    const due = this.#turns.filter((turn) => turn.nextAt <= this.#now());
    // None goes on when this has failed: what waits is counted.
    const looks = await Promise.allSettled(due.map((turn) => this.#room.turns(() => this.#look(turn))));
    for (const look of looks) if (look.status === 'rejected') throw look.reason;
  }

  /** Gives back its part of the room. What waits is still where it was read. */
  close(): void {
    for (const { node } of this.#turns) node.close();
  }

  /** Milliseconds until somebody's turn. */
  get idleMs(): number {
    const next = this.#turns.reduce((earliest, { nextAt }) => Math.min(earliest, nextAt), Number.POSITIVE_INFINITY);
    return Math.max(0, Math.min(next - this.#now(), SLOWEST_MS));
  }

  get state(): FollowedLogs {
    const totals = this.#turns.map(({ node }) => node.totals);
    return {
      nodes: totals.length,
      chunks: totals.reduce((sum, { chunks }) => sum + chunks, 0),
      rawBytes: totals.reduce((sum, { rawBytes }) => sum + rawBytes, 0),
      failing: this.#turns.flatMap(({ node, problem }) => (problem === undefined ? [] : [`${node.nodeId}: ${problem}`])).slice(0, FAILING_TOLD),
    };
  }

  async #look(turn: Turn): Promise<void> {
    try {
      const isMoved = await turn.node.look();
      if (isMoved) turn.movedAt = this.#now();
      turn.problem = undefined;
    } catch (error) {
      if (!(error instanceof PenstockError) || error.store !== turn.source) throw error;
      turn.problem = error.message;
    }
    const quietMs = this.#now() - turn.movedAt;
    turn.nextAt = this.#now() + Math.min(SLOWEST_MS, Math.max(FASTEST_MS, quietMs / QUIET_PART));
  }
}
