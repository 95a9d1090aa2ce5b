/** What a demote does before it removes a source: on a Temporal server, with stand-ins that answer for sizes no test could move. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import type { ArchivedOutput } from '../../activities/archived.ts';
import type { CheckPartRequest } from '../../activities/check.ts';
import type { LockRequest } from '../../activities/retention.ts';
import type { VerifyRequest } from '../../activities/transfer.ts';
import { addCounts, type CheckAnswer, noCounts } from '../../model/check.ts';
import type { ManifestRef } from '../../model/manifest.ts';
import type { MoveAnswer, MoveRequest } from '../../model/transfer.ts';
import type { DemoteRequest, DemoteResult } from '../../workflows/demote.ts';
import { childrenStarted, eventsOf, runsOf } from '../support/histories.ts';
import { manifestOf } from '../support/stand-in-movers.ts';
import { startTimeSkipping, withWorkers } from '../support/time-skipping.ts';

const TIB = 2 ** 40;
const EVENTS_PER_RUN = 100;
const usual: DemoteRequest = {
  tenant: 'acme',
  project: 'vision',
  allocationId: 'large',
  source: { store: 'warm', bucket: 'acme', prefix: 'vision/large/' },
  target: { store: 'cold', bucket: 'acme', prefix: 'vision/large/' },
  exclude: [],
  outcome: 'succeeded',
  retention: { mode: 'COMPLIANCE', retainUntil: '2033-01-01T00:00:00.000Z' },
  heartbeatSeconds: 30,
};

interface Story extends Partial<Pick<DemoteRequest, 'archive' | 'retention'>> {
  readonly manifest: ManifestRef;
  /** Of the page with this number, one file is missing. */
  readonly damagedPage?: number;
}

describe('a demote', { concurrency: false }, () => {
  let environment: TestWorkflowEnvironment;
  before(async () => {
    environment = await startTimeSkipping();
  });
  after(() => environment.teardown());

  async function play(workflowId: string, { manifest, damagedPage, ...more }: Story) {
    const request: DemoteRequest = { ...usual, ...more };
    const calls: string[] = [];
    const locks: unknown[] = [];
    const pages: number[] = [];
    const moved: ManifestRef = { ...manifest, prefix: `${manifest.prefix}moved/` };
    const done = (name: string) => async () => void calls.push(name);
    const finish = async (_: MoveRequest): Promise<MoveAnswer> => ({ files: manifest.files, bytes: manifest.bytes, failedCount: 0, failed: [], moved });
    const data = {
      listPrefix: async () => manifest,
      moveUnit: async () => ({ files: 0, bytes: 0, failedCount: 0, failed: [] }),
      moveWhole: finish,
      finishMove: finish,
      verifyTransfer: async ({ moved: verified, target, retention }: VerifyRequest) => {
        assert.deepEqual([verified, target, retention], [moved, request.target, request.retention]);
        calls.push('verifyTransfer');
      },
      openCheck: async () => ({ manifest: moved, heartbeatSeconds: 30, eventsPerRun: EVENTS_PER_RUN }),
      checkPart: async (part: CheckPartRequest): Promise<CheckAnswer> => {
        assert.deepEqual([part.manifest, part.target, part.read, part.extra], [moved, request.target, 'always', false]);
        let counts = noCounts;
        const lines: string[] = [];
        for (let page = part.fromPage; page < part.toPage; page += 1) {
          pages.push(page);
          counts = addCounts(counts, page === damagedPage ? { ...noCounts, same: 1, missing: 1 } : { ...noCounts, same: 2 });
          if (page === damagedPage) lines.push(`+ lost-${page}`);
        }
        return { counts, lines };
      },
      writeCheckReport: async () => ({ store: 'warm', bucket: 'penstock-system', key: 'report.txt' }),
      verifyArchived: done('verifyArchived'),
      writeCatalog: async ({ retention }: Omit<ArchivedOutput, 'manifest'>): Promise<ManifestRef> => {
        locks.push(retention);
        calls.push('writeCatalog');
        return manifest;
      },
      verifyLocks: async ({ mode, retainUntil }: LockRequest) => {
        locks.push({ mode, retainUntil });
        calls.push('verifyLocks');
      },
      writeOutputRecord: done('writeOutputRecord'),
      removeMoved: done('removeMoved'),
    };
    const outcome = await withWorkers(environment, { control: {}, data }, async () => {
      const handle = await environment.client.workflow.start<(input: DemoteRequest) => Promise<DemoteResult>>('demote', {
        workflowId,
        taskQueue: 'control',
        args: [request],
      });
      return await handle.result().then(
        ({ files }) => ({ files }),
        (error: Error) => ({ failed: error.cause }),
      );
    });
    return { outcome, calls, locks, pages, events: await eventsOf(environment.client, workflowId) };
  }

  test('of more than a unit is verified in parts, each page once, before anything is removed', async () => {
    const manifest = { ...manifestOf(300), bytes: 3000 * TIB };
    const { outcome, calls, pages, events } = await play('demote/in-parts', { manifest });
    assert.deepEqual(outcome, { files: 600 });
    assert.deepEqual(calls, ['verifyLocks', 'writeOutputRecord', 'removeMoved']);
    assert.deepEqual(
      pages.toSorted((one, other) => one - other),
      Array.from({ length: 300 }, (_, page) => page),
    );
    assert.ok(events.length < 100, `${events.length} events`);
    const [check] = childrenStarted(events, 'check').map((event) => event.childWorkflowExecutionStartedEventAttributes?.workflowExecution);
    const runs = await runsOf(environment.client, check?.workflowId ?? '', check?.runId ?? '');
    assert.ok(runs.length > 5, `${runs.length} runs`);
    for (const run of runs) assert.ok(run.events.length < EVENTS_PER_RUN + 60, `${run.events.length} events`);
  });

  test('keeps the source where a part finds a difference, and says which', async () => {
    const manifest = { ...manifestOf(20), bytes: 20 * TIB };
    const { outcome, calls } = await play('demote/damaged', { manifest, damagedPage: 13 });
    assert.deepEqual(calls, []);
    assert.ok('failed' in outcome);
    assert.match(
      String(outcome.failed),
      /1 of 40 files are missing, 0 differ and 0 cannot be read in cold: s3:\/\/acme\/vision\/large\/, such as \+ lost-13\. The source is kept/,
    );
  });

  test('of one unit is verified in one activity', async () => {
    const { outcome, calls, events } = await play('demote/small', { manifest: manifestOf(1) });
    assert.deepEqual(outcome, { files: 2 });
    assert.deepEqual(calls, ['verifyTransfer', 'writeOutputRecord', 'removeMoved']);
    assert.deepEqual(childrenStarted(events, 'check'), []);
  });

  test('into an archive class is verified by what the store says, and held to the very lock that was promised, be it GOVERNANCE', async () => {
    const retention = { mode: 'GOVERNANCE', retainUntil: '2033-01-01T00:00:00.000Z' } as const;
    const { outcome, calls, locks } = await play('demote/archived', { manifest: manifestOf(1), archive: 'GLACIER', retention });
    assert.deepEqual(outcome, { files: 2 });
    assert.deepEqual(calls, ['verifyArchived', 'writeCatalog', 'verifyLocks', 'writeOutputRecord', 'removeMoved']);
    assert.deepEqual(locks, [retention, retention]);
  });
});
