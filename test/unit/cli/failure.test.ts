import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ServiceError, WorkflowFailedError, WorkflowNotFoundError } from '@temporalio/client';
import { CliError } from '../../../cli/cli-error.ts';
import { type Exit, exitCodes } from '../../../cli/exit-codes.ts';
import { toFailure } from '../../../cli/failure.ts';
import { Refusal } from '../../../client/refusal.ts';
import { PenstockError } from '../../../model/errors.ts';

const grpc = (code: number, details: string) => Object.assign(new Error(details), { code, details, metadata: {} });

const cases: readonly (readonly [string, unknown, Exit, string])[] = [
  ['a refusal of the workflow', new Refusal('NotReady', 'too little data'), 'refused', 'NotReady'],
  ['an allocation that is not there', new Refusal('NotFound', 'there is no running allocation'), 'notFound', 'NotFound'],
  [
    'an allocation that failed, whatever it reports',
    new Refusal('NotFound', 'its data is gone', new WorkflowFailedError('failed', undefined, 'TIMEOUT')),
    'allocationEnded',
    'NotFound',
  ],
  ['a store that does not answer', new PenstockError('StoreUnavailable', 'no answer', { store: 'warm' }), 'unreachable', 'StoreUnavailable'],
  ['a throttling store', new PenstockError('StoreThrottled', 'slow down', { store: 'warm' }), 'unreachable', 'StoreThrottled'],
  ['bad input', new PenstockError('InvalidInput', 'no'), 'refused', 'InvalidInput'],
  ['a workflow that Temporal does not know', new WorkflowNotFoundError('gone', 'allocation/a/b/c', undefined), 'notFound', 'NotFound'],
  ['Temporal down', new ServiceError('failed to query', { cause: grpc(14, 'connection refused') }), 'unreachable', 'Unreachable'],
  ['no worker for a query', new ServiceError('failed to query', { cause: grpc(9, 'no poller seen') }), 'unreachable', 'Unreachable'],
  ['a wait that took too long', new CliError('waitedTooLong', 'still staging'), 'waitedTooLong', 'waitedTooLong'],
  ['a fault of our own', new TypeError('undefined is not a function'), 'refused', 'Failed'],
  ['something that is no error', 'text', 'refused', 'Failed'],
];

for (const [what, error, exit, type] of cases) {
  test(`${what} exits with ${exitCodes[exit].code}`, () => {
    const failure = toFailure(error);
    assert.equal(failure.exit, exit);
    assert.equal(failure.type, type);
  });
}

test('every exit code is different, and 0 is the only good one', () => {
  const codes = Object.values(exitCodes).map(({ code }) => code);
  assert.deepEqual(codes, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 130]);
});
