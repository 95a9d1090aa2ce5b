/**
 * The Merkle tree of RFC 9162, 2.1: SHA-256, a leaf hashed behind 0x00, two nodes behind 0x01. A tree that only grows is known by its frontier, the
 * roots of the perfect trees that its leaves form, the largest first: as many as its size has bits set.
 */
import { createHash } from 'node:crypto';

export type Hash = Buffer;

const LEAF = Buffer.from([0]);
const NODE = Buffer.from([1]);

export const hashLeaf = (line: Buffer | string): Hash => createHash('sha256').update(LEAF).update(line).digest();
export const hashChildren = (left: Hash, right: Hash): Hash => createHash('sha256').update(NODE).update(left).update(right).digest();

export interface Tree {
  readonly size: number;
  readonly frontier: readonly Hash[];
}

export const emptyTree: Tree = { size: 0, frontier: [] };

/** Where the perfect trees of a frontier begin, and how many leaves each has. */
export function perfectTrees(size: number): { readonly start: number; readonly leaves: number }[] {
  const trees: { start: number; leaves: number }[] = [];
  for (let start = 0; start < size; ) {
    const leaves = 2 ** Math.floor(Math.log2(size - start));
    trees.push({ start, leaves });
    start += leaves;
  }
  return trees;
}

export function grow(tree: Tree, leaves: Iterable<Hash>): Tree {
  const frontier = [...tree.frontier];
  let { size } = tree;
  for (const leaf of leaves) {
    let hash = leaf;
    // Two trees of a size become one, as a binary counter carries.
    for (let rest = size; rest % 2 === 1; rest = (rest - 1) / 2) {
      const left = frontier.pop();
      if (!left) throw new TypeError(`a tree of ${size} leaves has more frontier than this one of ${tree.frontier.length}`);
      hash = hashChildren(left, hash);
    }
    frontier.push(hash);
    size += 1;
  }
  return { size, frontier };
}

export function rootOf({ frontier }: Tree): Hash {
  if (frontier.length === 0) return createHash('sha256').digest();
  return frontier.reduceRight((right, left) => hashChildren(left, right));
}

/** @throws TypeError where that many hashes are no frontier of that many leaves */
export function treeOf(size: number, frontier: readonly Hash[]): Tree {
  if (perfectTrees(size).length !== frontier.length) throw new TypeError(`${frontier.length} hashes are no frontier of ${size} leaves`);
  return { size, frontier };
}
