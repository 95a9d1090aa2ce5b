/** RFC 9162: roots as the definition has them, and proofs that prove what is so and nothing else. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { emptyTree, grow, type Hash, hashChildren, hashLeaf, rootOf } from '../../../../datapath/audit/merkle.ts';
import { consistencyProof, inclusionProof, isContinuation, isIncluded, rangeRootOf, rangeRootSince } from '../../../../datapath/audit/proofs.ts';

const leavesOf = (count: number): Hash[] => Array.from({ length: count }, (_, index) => hashLeaf(`leaf ${index}`));

/** The definition, word for word. */
function rootByDefinition(leaves: readonly Hash[]): Hash {
  const [first] = leaves;
  if (!first) return rootOf(emptyTree);
  if (leaves.length === 1) return first;
  let split = 1;
  while (split * 2 < leaves.length) split *= 2;
  return hashChildren(rootByDefinition(leaves.slice(0, split)), rootByDefinition(leaves.slice(split)));
}

describe('a tree', () => {
  test('the roots that certificate transparency publishes as test vectors', () => {
    const inputs = ['', '00', '10', '2021', '3031', '40414243', '5051525354555657', '606162636465666768696a6b6c6d6e6f'];
    const roots = [
      'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
      '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
      'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
      'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
      'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
      '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
      '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
      'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
      '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
    ];
    const leaves = inputs.map((hex) => hashLeaf(Buffer.from(hex, 'hex')));
    for (const [size, root] of roots.entries()) assert.equal(rootOf(grow(emptyTree, leaves.slice(0, size))).toString('hex'), root);
  });

  test('grows in parts to the same root, with as many hashes as its size has bits', () => {
    fc.assert(
      fc.property(fc.nat(300), fc.nat(300), (one, other) => {
        const leaves = leavesOf(one + other);
        const tree = grow(grow(emptyTree, leaves.slice(0, one)), leaves.slice(one));
        assert.equal(tree.frontier.length, (one + other).toString(2).replaceAll('0', '').length);
        assert.deepEqual(rootOf(tree), rootByDefinition(leaves));
      }),
      { numRuns: 50 },
    );
  });
});

describe('proofs', () => {
  test('every leaf of every tree of up to 40 is proved, and no other leaf, place or root is', () => {
    for (let size = 1; size <= 40; size += 1) {
      const leaves = leavesOf(size);
      const root = rootByDefinition(leaves);
      for (const [index, leaf] of leaves.entries()) {
        const proof = inclusionProof(index, size, rangeRootOf(leaves));
        assert.ok(isIncluded(leaf, index, size, proof, root));
        assert.ok(!isIncluded(hashLeaf('other'), index, size, proof, root));
        assert.ok(!isIncluded(leaf, index + 1, size, proof, root) || size === 1);
        assert.ok(!isIncluded(leaf, index, size, [...proof, root], root));
      }
    }
  });

  test('every tree of up to 40 is proved to continue every one before it, from its frontier alone; a fork is not', () => {
    for (let size = 1; size <= 40; size += 1) {
      const leaves = leavesOf(size);
      const root = rootByDefinition(leaves);
      for (let before = 0; before <= size; before += 1) {
        const older = grow(emptyTree, leaves.slice(0, before));
        const proof = consistencyProof(before, size, rangeRootSince(older, leaves.slice(before)));
        assert.deepEqual(proof, consistencyProof(before, size, rangeRootOf(leaves)));
        assert.ok(isContinuation({ size: before, root: rootOf(older) }, { size, root }, proof));
        if (before === 0) continue;
        const fork = rootByDefinition([...leaves.slice(0, before - 1), hashLeaf('other')]);
        assert.ok(!isContinuation({ size: before, root: fork }, { size, root }, proof));
        assert.ok(!isContinuation({ size: before, root: rootOf(older) }, { size, root: fork }, proof) || fork.equals(root));
        if (proof.length > 0) assert.ok(!isContinuation({ size: before, root: rootOf(older) }, { size, root }, proof.slice(1)));
      }
    }
  });
});
