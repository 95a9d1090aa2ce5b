import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { WorkflowFailedError } from '@temporalio/client';
import { parseDuration } from '../../../cli/input/duration.ts';
import { Refusal } from '../../../client/refusal.ts';
import type { AllocationStatus } from '../../../model/status.ts';
import { penstock, repository, status } from './support.ts';

const NAME = 'acme/vision/train-001';
const never = new Promise<never>(() => undefined);

/** Answers the statuses one after the other, then the last for ever. */
function statuses(...all: AllocationStatus[]) {
  let asked = 0;
  return () => Promise.resolve(all[Math.min(asked++, all.length - 1)] ?? status());
}

test('wait answers when the allocation is ready, and shows each change once', async () => {
  const ran = await penstock(['allocation', 'wait', NAME, '--until', 'ready', '-o', 'json'], {
    penstock: { status: statuses(status({ phase: 'queued' }), status({ phase: 'queued' }), status({ phase: 'staging' }), status({ phase: 'ready' })) },
  });
  assert.equal(ran.code, 0);
  assert.equal(JSON.parse(ran.stdout).phase, 'ready');
  assert.deepEqual(
    ran.stderr
      .trimEnd()
      .split('\n')
      .map((line) => line.split(':')[0]),
    ['queued', 'staging', 'ready'],
  );
});

test('a job that has passed the phase that is waited for is not waited for', async () => {
  assert.equal((await penstock(['allocation', 'wait', NAME, '--until', 'ready'], { penstock: { status: statuses(status({ phase: 'archiving' })) } })).code, 0);
});

test('wait ends with 5 after its timeout, and the allocation goes on', async () => {
  const ran = await penstock(['allocation', 'wait', NAME, '--timeout', '1m'], { penstock: { status: statuses(status()), wait: () => never } });
  assert.equal(ran.code, 5);
  assert.equal(ran.stdout, '');
  assert.match(ran.stderr, /WaitedTooLong: acme\/vision\/train-001 was not released after 60 s; it goes on by itself/);
});

test('wait ends with 6 where the allocation fails, with its reason', async () => {
  const failed = status({ phase: 'failed', reason: { code: 'NotFound', message: 'the data is gone' } });
  const early = await penstock(['allocation', 'wait', NAME, '--until', 'running'], { penstock: { status: statuses(failed) } });
  assert.equal(early.code, 6);
  assert.match(early.stderr, /NotFound: acme\/vision\/train-001 failed: the data is gone/);
  const late = await penstock(['allocation', 'wait', NAME], {
    penstock: {
      status: statuses(status()),
      wait: () => Promise.reject(new Refusal('NotFound', 'the data is gone', new WorkflowFailedError('failed', undefined, 'TIMEOUT'))),
    },
  });
  assert.equal(late.code, 6);
});

test('progress is a courtesy: where no worker answers, the result is waited for all the same', async () => {
  const ran = await penstock(['allocation', 'wait', NAME, '-o', 'json'], {
    penstock: { status: () => Promise.reject(new Error('no worker')), wait: () => Promise.resolve(status({ phase: 'released' })) },
  });
  assert.equal(ran.code, 0);
  assert.equal(JSON.parse(ran.stdout).phase, 'released');
});

test('submit --wait answers the last status alone, and says on stderr what it started', async () => {
  const ran = await penstock(['allocation', 'submit', join(repository, 'examples/allocation-defaults.yaml'), '--wait', '-o', 'json'], {
    penstock: {
      submit: () => Promise.resolve({ workflowId: 'allocation/acme/vision/defaults-001', runId: 'run', attached: false }),
      status: statuses(status()),
      wait: () => Promise.resolve(status({ phase: 'released' })),
    },
  });
  assert.equal(JSON.parse(ran.stdout).phase, 'released');
  assert.match(ran.stderr, /^started allocation\/acme\/vision\/defaults-001\n/);
});

test('durations are read as people write them', () => {
  assert.deepEqual(['90', '90s', '1.5m', '2h', '1d', '0'].map(parseDuration), [90_000, 90_000, 90_000, 7_200_000, 86_400_000, 0]);
  for (const wrong of ['', '5x', '-1s', '1h30m', 'NaN', '25d', '1e3']) assert.throws(() => parseDuration(wrong), /accepted: a duration/, wrong);
});
