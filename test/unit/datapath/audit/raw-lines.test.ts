/** Looking for entries in the text of a segment finds what parsing every line finds. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { canonicalJson } from '../../../../datapath/audit/canonical.ts';
import { type AuditQuery, matches } from '../../../../datapath/audit/query.ts';
import { linesWith, literalsOf } from '../../../../datapath/audit/raw-lines.ts';
import { operationAt, START_MS } from '../../../support/audit-log.ts';

/** Few and odd, so that they meet: quotes, escapes, what is one's beginning and another's end. */
const name = fc.constantFrom('a', 'acme', 'a"b', 'é', '\u2028', 'tenant', 'operation');
const path = fc
  .array(fc.constantFrom('a', 'a"b', 'é'), { minLength: 1, maxLength: 3 })
  .chain((parts) => fc.constantFrom(`s3://${parts.join('/')}`, `warm:s3://${parts.join('/')}/`, parts.join('/'), `/${parts.join('/')}`));
const operation = fc
  .record({ tenant: name, project: name, allocationId: name, nodeId: name, paths: fc.array(path, { maxLength: 2 }), reason: name }, { requiredKeys: ['paths'] })
  .map((facts) => operationAt(1, START_MS, facts));
const query: fc.Arbitrary<AuditQuery> = fc.oneof(
  fc.record({ path }),
  fc.record(
    {
      tenant: name,
      allocation: fc.tuple(name, name, name).map((parts) => parts.join('/')),
      node: name,
      path,
      operation: fc.constantFrom('copy' as const, 'wipe' as const),
    },
    { requiredKeys: [] },
  ),
);

test('every entry that matches is among the lines found, and no line comes twice or in another order', () => {
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 6 }), query, (operations, asked) => {
      const lines = operations.map(canonicalJson);
      const found = linesWith(['{"kind":"segment"}', ...lines].map((line) => `${line}\n`).join(''), literalsOf(asked));
      assert.ok(!found.some((line) => line.includes('"kind":"segment"')));
      const wanted = lines.filter((_, index) => operations.slice(index, index + 1).some((each) => matches(each, asked)));
      assert.deepEqual(
        found.filter((line) => wanted.includes(line)),
        wanted,
      );
      assert.deepEqual(
        lines.filter((line) => found.includes(line)),
        found,
      );
    }),
    { numRuns: 2000, seed: 7 },
  );
});
