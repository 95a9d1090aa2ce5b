import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Floor, floorBudget, promisedBytes, sum } from '../../../dev/hot-tier-emulator/admission.ts';

const limits = { readBytesPerSecond: 2000, writeBytesPerSecond: 1000 };
const floor: fc.Arbitrary<Floor> = fc.record({ access: fc.constantFrom('read-only', 'read-write'), floorBytesPerSecond: fc.nat(700) });

test('however floors are asked for and given back, those granted never exceed the bandwidth of their direction', () => {
  const step = fc.oneof(
    floor.map((asked) => ({ asked })),
    fc.nat().map((givenBack) => ({ givenBack })),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (history) => {
      const held: Floor[] = [];
      for (const each of history) {
        if ('givenBack' in each) held.splice(each.givenBack % Math.max(1, held.length), 1);
        else if (each.asked.floorBytesPerSecond <= floorBudget(each.asked.access, held, limits).freeBytesPerSecond) held.push(each.asked);
        const granted = (access: Floor['access']) => sum(held.filter((one) => one.access === access).map((one) => one.floorBytesPerSecond));
        assert.ok(granted('read-only') <= limits.readBytesPerSecond && granted('read-write') <= limits.writeBytesPerSecond);
      }
    }),
  );
});

test('what is free and what is granted make up the whole, and the other direction does not matter', () => {
  fc.assert(
    fc.property(fc.array(floor, { maxLength: 4 }), (held) => {
      const budget = floorBudget('read-only', held, limits);
      assert.equal(budget.freeBytesPerSecond, Math.max(0, budget.limitBytesPerSecond - budget.grantedBytesPerSecond));
      assert.deepEqual(
        budget,
        floorBudget(
          'read-only',
          held.filter((each) => each.access === 'read-only'),
          limits,
        ),
      );
    }),
  );
});

const path = fc.array(fc.constantFrom('a', 'b', 'ab'), { minLength: 1, maxLength: 4 }).map((steps) => `/${steps.join('/')}`);
const promise = fc.record({ path, bytes: fc.nat(1000) });
const empty = (): number => 0;

test('promises: never less than any one of them, never more than all together, in whatever order', () => {
  fc.assert(
    fc.property(fc.array(promise, { maxLength: 12 }), (promises) => {
      const total = promisedBytes(promises, empty);
      assert.ok(promises.every(({ bytes }) => total >= bytes));
      assert.ok(total <= sum(promises.map(({ bytes }) => bytes)));
      assert.equal(promisedBytes(promises.toReversed(), empty), total);
    }),
  );
});

test('one promise more never lowers the total; one given back never raises it', () => {
  fc.assert(
    fc.property(fc.array(promise, { maxLength: 12 }), promise, (promises, more) => {
      assert.ok(promisedBytes([...promises, more], empty) >= promisedBytes(promises, empty));
    }),
  );
});

test('promises for one path are for the same data, parts count within their whole, neighbours add up', () => {
  assert.equal(
    promisedBytes(
      [
        { path: '/a', bytes: 5 },
        { path: '/a', bytes: 7 },
      ],
      empty,
    ),
    7,
  );
  assert.equal(
    promisedBytes(
      [
        { path: '/a', bytes: 10 },
        { path: '/a/b', bytes: 4 },
        { path: '/a/c', bytes: 5 },
      ],
      empty,
    ),
    10,
  );
  assert.equal(
    promisedBytes(
      [
        { path: '/a', bytes: 8 },
        { path: '/a/b', bytes: 4 },
        { path: '/a/c', bytes: 5 },
      ],
      empty,
    ),
    9,
  );
  assert.equal(
    promisedBytes(
      [
        { path: '/a', bytes: 5 },
        { path: '/ab', bytes: 7 },
      ],
      empty,
    ),
    12,
  );
});

test('what is there already counts down what is promised, and never below nothing', () => {
  assert.equal(
    promisedBytes([{ path: '/a', bytes: 10 }], () => 4),
    6,
  );
  assert.equal(
    promisedBytes([{ path: '/a', bytes: 10 }], () => 40),
    0,
  );
});
