/** Histories recorded earlier, replayed on the bundle that production runs: a change that would break a run in flight fails here first. */
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode, DefaultLogger, Runtime, Worker, type WorkflowBundleWithSourceMap } from '@temporalio/worker';
import { DeterminismViolationError } from '@temporalio/workflow';
import { bundleWorkflows } from '../../workers/bundle.ts';
import * as workflows from '../../workflows/index.ts';
import { type Golden, goldenFiles, readGolden } from './goldens.ts';
import { scenarios } from './scenarios/index.ts';

/** What replays only to fail is no news. */
const logger = new DefaultLogger('ERROR');

describe('recorded histories', { concurrency: false }, () => {
  let goldens: Golden[];
  before(async () => {
    Runtime.install({ logger, telemetryOptions: { logging: { filter: { core: 'ERROR', other: 'ERROR' } } } });
    goldens = await Promise.all((await goldenFiles()).map(readGolden));
  });

  test('every one replays without a difference', async () => {
    const results = await replay(await bundleWorkflows(), goldens);
    // Errors are yielded, not thrown: each is asserted, and they are counted, for a history that was passed over proves nothing.
    assert.deepEqual(
      results.filter((result) => result.error).map(({ file, error }) => `${file}: ${error}`),
      [],
    );
    assert.equal(results.length, (await goldenFiles()).length);
  });

  test('every workflow type has one, and every point that the recorder knows', () => {
    assert.deepEqual([...new Set(goldens.map((golden) => golden.workflowType))].sort(), Object.keys(workflows).sort());
    const recorded = new Set(goldens.map((golden) => golden.file.replace(/\.v\d+\.json$/, '')));
    const missing = scenarios.flatMap((scenario) => scenario.saves).filter((name) => !recorded.has(name));
    assert.deepEqual(missing, [], 'npm run record-histories records them');
    for (const { file, workflowType } of goldens) assert.ok(file.startsWith(`${workflowType}/`), file);
  });

  // The proof that the first test can fail: the same histories, on workflows of which one asks for its activities in another order.
  test('a change of order is caught in every history it concerns', async () => {
    const workflowsPath = fileURLToPath(new URL('incompatible/workflows.ts', import.meta.url));
    const concerned = goldens.filter((golden) => golden.workflowType === 'prestage');
    const results = await replay(await bundleWorkflowCode({ workflowsPath, logger }), concerned);
    assert.equal(results.length, concerned.length);
    assert.ok(results.length > 0, 'there is something to fail');
    for (const { file, error } of results) assert.ok(error instanceof DeterminismViolationError, `${file}: ${error ?? 'replayed'}`);
  });
});

interface Replayed {
  readonly file: string;
  readonly error: Error | undefined;
}

/** Results come one by one in the order of the histories and carry their run, by which each is known to be the one it should be. */
async function replay(workflowBundle: WorkflowBundleWithSourceMap, goldens: readonly Golden[]): Promise<Replayed[]> {
  const replayed: Replayed[] = [];
  for await (const { runId, error } of Worker.runReplayHistories({ workflowBundle }, goldens)) {
    const golden = goldens[replayed.length];
    assert.equal(runId, golden?.runId, golden?.file);
    replayed.push({ file: golden?.file ?? runId, error });
  }
  return replayed;
}
