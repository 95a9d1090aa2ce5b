import assert from 'node:assert/strict';
import { test } from 'node:test';
import { absent, isType, messageOf, PenstockError } from '../../../model/errors.ts';

test('an error is of one of the types that are asked for, or of none', () => {
  const conflict = new PenstockError('Conflict', 'taken');
  assert.ok(isType(conflict, 'NotFound', 'Conflict'));
  assert.ok(!isType(conflict, 'NotFound', 'Denied'));
  assert.ok(!isType(Object.assign(new Error('taken'), { type: 'Conflict' }), 'Conflict'), 'another error’s type is not ours');
  assert.ok(!isType('Conflict', 'Conflict'));
});

test('what is absent is undefined, and every other error stays one', () => {
  assert.equal(absent(new PenstockError('NotFound', 'nothing there')), undefined);
  assert.throws(() => absent(new PenstockError('Denied', 'not yours')), { name: 'Denied' });
});

test('whatever was thrown has a message', () => {
  assert.deepEqual(
    [messageOf(new PenstockError('Denied', 'not yours', { store: 'warm' })), messageOf('cut'), messageOf(undefined)],
    ['warm: not yours', 'cut', 'undefined'],
  );
});
