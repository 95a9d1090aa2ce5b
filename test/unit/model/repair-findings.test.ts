/** What two records of one object are due for together. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { mergeFindings, type RepairRecord } from '../../../model/repair.ts';

type Finding = Pick<RepairRecord, 'suspects' | 'forRacks'>;
const rack = fc.constantFrom('r01', 'r02', 'r03');
const suspect = fc.record({ index: fc.nat(3), rack, state: fc.constantFrom('rotten' as const, 'lost' as const) });
const findings: fc.Arbitrary<Finding> = fc.record(
  { suspects: fc.array(suspect, { maxLength: 4 }), forRacks: fc.uniqueArray(rack, { minLength: 1 }) },
  { requiredKeys: ['suspects'] },
);
const plain = ({ suspects, forRacks }: Finding) => ({
  suspects: new Set(suspects.map(({ index, rack: id, state }) => `${index} ${id} ${state}`)),
  forRacks: forRacks && new Set(forRacks),
});

test('is due for drains alone where both are, and then for those of either', () => {
  fc.assert(
    fc.property(findings, findings, (one, other) => {
      const { forRacks } = mergeFindings(one, other);
      assert.equal(forRacks !== undefined, one.forRacks !== undefined && other.forRacks !== undefined);
      if (forRacks) assert.deepEqual(new Set(forRacks), new Set([...(one.forRacks ?? []), ...(other.forRacks ?? [])]));
    }),
  );
});

test('is the same in any order, and however often it is found', () => {
  fc.assert(
    fc.property(findings, findings, (one, other) => {
      const both = mergeFindings(one, other);
      assert.deepEqual(plain(mergeFindings(other, one)), plain(both));
      assert.deepEqual(plain(mergeFindings(both, both)), plain(both));
    }),
  );
});
