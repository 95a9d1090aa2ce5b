import assert from 'node:assert/strict';
import { test } from 'node:test';
import { instantOf, nanosecondsOf } from '../../../drivers/file-store/instant.ts';

test('an instant comes back to the nanosecond, before 1970 too, and is no longer than it needs to be', () => {
  const instants: readonly (readonly [bigint, string])[] = [
    [0n, '1970-01-01T00:00:00.000Z'],
    [1_614_834_367_120_000_000n, '2021-03-04T05:06:07.120Z'],
    [1_614_834_367_123_456_789n, '2021-03-04T05:06:07.123456789Z'],
    [1_614_834_367_000_000_100n, '2021-03-04T05:06:07.000000100Z'],
    [-1n, '1969-12-31T23:59:59.999999999Z'],
    [-1_500_000n, '1969-12-31T23:59:59.998500000Z'],
  ];
  for (const [nanoseconds, text] of instants) {
    assert.equal(instantOf(nanoseconds), text);
    assert.equal(nanosecondsOf(text), nanoseconds);
  }
});

test('other writings of an instant are read, and what is none is not', () => {
  assert.equal(nanosecondsOf('2021-03-04T05:06:07Z'), 1_614_834_367_000_000_000n);
  assert.equal(nanosecondsOf('2021-03-04T05:06:07.5Z'), 1_614_834_367_500_000_000n);
  assert.equal(nanosecondsOf('2021-03-04T06:06:07.1234+01:00'), 1_614_834_367_123_400_000n);
  assert.equal(nanosecondsOf('2021-03-04T05:06:07.1234567899Z'), 1_614_834_367_123_456_789n);
  for (const none of ['yesterday', '', '+999999-01-01']) assert.equal(nanosecondsOf(none), undefined);
});
