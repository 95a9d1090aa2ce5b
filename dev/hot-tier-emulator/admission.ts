/** How much of the tier is given away: floors of bandwidth, promises of space. Pure. */
import { isBelow } from './paths.ts';

export interface BandwidthLimits {
  readonly readBytesPerSecond: number;
  readonly writeBytesPerSecond: number;
}
export interface Floor {
  readonly access: 'read-only' | 'read-write';
  readonly floorBytesPerSecond: number;
}
export interface FloorBudget {
  readonly direction: 'read' | 'write';
  readonly limitBytesPerSecond: number;
  readonly grantedBytesPerSecond: number;
  readonly freeBytesPerSecond: number;
}

/** The rule: floors of read-only exports share the read bandwidth, floors of read-write exports the write bandwidth. */
export function floorBudget(access: Floor['access'], held: readonly Floor[], limits: BandwidthLimits): FloorBudget {
  const direction = access === 'read-only' ? 'read' : 'write';
  const limit = direction === 'read' ? limits.readBytesPerSecond : limits.writeBytesPerSecond;
  const granted = sum(held.filter((each) => each.access === access).map((each) => each.floorBytesPerSecond));
  return { direction, limitBytesPerSecond: limit, grantedBytesPerSecond: granted, freeBytesPerSecond: Math.max(0, limit - granted) };
}

/** "This path will hold `bytes` in total": a reservation says so, and so does a running prefetch. */
export interface SpacePromise {
  readonly path: string;
  readonly bytes: number;
}

/**
 * Bytes promised and not yet there. As a promise is about the total below its path, two for one path are the same
 * data (the larger counts), and one below another is part of it: each path's share is the larger of its own and its parts'.
 */
export function promisedBytes(promises: readonly SpacePromise[], usedBelow: (path: string) => number): number {
  const largest = new Map<string, number>();
  for (const { path, bytes } of promises) largest.set(path, Math.max(bytes, largest.get(path) ?? 0));
  // Sorted with a closing slash, everything below a path follows it directly, so one pass with a stack of ancestors does.
  const sorted = [...largest].sort(([left], [right]) => compare(sortKey(left), sortKey(right)));
  const open: { path: string; own: number; parts: number }[] = [];
  let total = 0;
  const closeUntil = (path?: string): void => {
    for (let last = open.at(-1); last && (path === undefined || !isBelow(path, last.path)); last = open.at(-1)) {
      open.pop();
      const share = Math.max(last.own, last.parts);
      const parent = open.at(-1);
      if (parent) parent.parts += share;
      else total += share;
    }
  };
  for (const [path, bytes] of sorted) {
    closeUntil(path);
    open.push({ path, own: Math.max(0, bytes - usedBelow(path)), parts: 0 });
  }
  closeUntil();
  return total;
}

export function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function sortKey(path: string): string {
  return path === '/' ? path : `${path}/`;
}

function compare(left: string, right: string): number {
  return left < right ? -1 : Number(left > right);
}
