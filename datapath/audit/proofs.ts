/** Proofs of RFC 9162: that a leaf is in a tree, and that a tree continues an earlier one. Whoever checks needs only the roots. */
import { grow, type Hash, hashChildren, perfectTrees, rootOf, type Tree } from './merkle.ts';

/** The root of the leaves from `start` up to, but without, `end`. */
export type RangeRoot = (start: number, end: number) => Hash;

export function rangeRootOf(leaves: readonly Hash[]): RangeRoot {
  return (start, end) => rootOf(grow({ size: 0, frontier: [] }, leaves.slice(start, end)));
}

/** Of a tree of which only the frontier is known, and the leaves that came after it: enough to prove that what has grown continues it. */
export function rangeRootSince(before: Tree, leaves: readonly Hash[]): RangeRoot {
  const known = new Map(perfectTrees(before.size).map(({ start, leaves: count }, index) => [`${start}-${start + count}`, before.frontier[index]]));
  const later = rangeRootOf(leaves);
  return (start, end) => {
    const root = start >= before.size ? later(start - before.size, end - before.size) : known.get(`${start}-${end}`);
    if (!root) throw new TypeError(`the leaves ${start} to ${end} are no part of what is known`);
    return root;
  };
}

export function inclusionProof(index: number, size: number, root: RangeRoot): Hash[] {
  const path = (start: number, end: number): Hash[] => {
    if (end - start === 1) return [];
    const middle = start + splitOf(end - start);
    return index < middle ? [...path(start, middle), root(middle, end)] : [...path(middle, end), root(start, middle)];
  };
  return path(0, size);
}

export function consistencyProof(before: number, size: number, root: RangeRoot): Hash[] {
  const path = (start: number, end: number, isWhole: boolean): Hash[] => {
    if (end === before) return isWhole ? [] : [root(start, end)];
    const middle = start + splitOf(end - start);
    return before <= middle ? [...path(start, middle, isWhole), root(middle, end)] : [...path(middle, end, false), root(start, middle)];
  };
  return before === 0 || before === size ? [] : path(0, size, true);
}

/** The largest power of two below the number of leaves. */
const splitOf = (leaves: number): number => 2 ** Math.ceil(Math.log2(leaves) - 1);

/** RFC 9162, 2.1.3.2. */
export function isIncluded(leaf: Hash, index: number, size: number, proof: readonly Hash[], root: Hash): boolean {
  if (!(index >= 0 && index < size)) return false;
  let [place, last, hash] = [index, size - 1, leaf];
  for (const step of proof) {
    if (last === 0) return false;
    if (place % 2 === 1 || place === last) {
      hash = hashChildren(step, hash);
      while (place % 2 === 0 && place !== 0) [place, last] = [place / 2, Math.floor(last / 2)];
    } else hash = hashChildren(hash, step);
    [place, last] = [Math.floor(place / 2), Math.floor(last / 2)];
  }
  return last === 0 && hash.equals(root);
}

export interface Grown {
  readonly size: number;
  readonly root: Hash;
}

/** RFC 9162, 2.1.4.2. */
export function isContinuation(before: Grown, after: Grown, proof: readonly Hash[]): boolean {
  if (before.size > after.size) return false;
  if (before.size === after.size) return proof.length === 0 && before.root.equals(after.root);
  if (before.size === 0) return proof.length === 0;
  const steps = Number.isInteger(Math.log2(before.size)) ? [before.root, ...proof] : [...proof];
  const first = steps.shift();
  if (!first) return false;
  let [place, last] = [before.size - 1, after.size - 1];
  while (place % 2 === 1) [place, last] = [Math.floor(place / 2), Math.floor(last / 2)];
  let [older, newer] = [first, first];
  for (const step of steps) {
    if (last === 0) return false;
    if (place % 2 === 1 || place === last) {
      older = hashChildren(step, older);
      newer = hashChildren(step, newer);
      while (place % 2 === 0 && place !== 0) [place, last] = [place / 2, Math.floor(last / 2)];
    } else newer = hashChildren(newer, step);
    [place, last] = [Math.floor(place / 2), Math.floor(last / 2)];
  }
  return last === 0 && older.equals(before.root) && newer.equals(after.root);
}
