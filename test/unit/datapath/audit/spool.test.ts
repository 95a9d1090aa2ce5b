/** While the log takes nothing: what goes on is in the machine's spool before it begins, and on record in order, once, when the log answers again. */
import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, describe, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { type Backlog, openBacklog } from '../../../../datapath/audit/backlog.ts';
import { increasing } from '../../../../datapath/audit/batch.ts';
import { filesInMemory } from '../../../../datapath/audit/layout.ts';
import { queryLog } from '../../../../datapath/audit/query.ts';
import { createRecorder, type Recorder } from '../../../../datapath/audit/recorder.ts';
import { createSequencer } from '../../../../datapath/audit/sequencer.ts';
import { createSpool, type SpoolState, spoolState } from '../../../../datapath/audit/spool.ts';
import { verifyLog } from '../../../../datapath/audit/verify.ts';
import { createPosixFileStore } from '../../../../drivers/file-store/posix.ts';
import { auditOperations, type Operation } from '../../../../model/audit.ts';
import { whileLogIsOut } from '../../../../model/audit-outage.ts';
import { type MemoryLog, memoryLog, operationAt, START_MS, send } from '../../../support/audit-log.ts';

const HOUR_MS = 3_600_000;

describe('while the log takes nothing', () => {
  let base: string;
  let root: string;
  let memory: MemoryLog;
  /** What puts answer: nothing amiss, nothing at all, a failure behind their effect, or nothing at all after so many. */
  let answers: 'well' | 'out' | 'lost' | number;
  let nowMs: number;
  let states: SpoolState[];

  before(async () => {
    base = await mkdtemp(join(tmpdir(), 'penstock-spool-'));
  });
  after(() => rm(base, { recursive: true, force: true }));
  beforeEach(async () => {
    root = await mkdtemp(join(base, 'spool-'));
    [answers, nowMs, states] = ['well', START_MS, []];
    memory = memoryLog();
  });

  const inbox = () => {
    const { store, prefix } = memory.log.inbox;
    const writeBytes: typeof store.writeBytes = async (...parameters) => {
      if (answers === 'out' || answers === 0) throw new Error('the store is out');
      const written = await store.writeBytes(...parameters);
      if (typeof answers === 'number') answers -= 1;
      if (answers === 'lost') throw new Error('the answer is lost');
      return written;
    };
    return { store: Object.assign(Object.create(store), { writeBytes }), prefix };
  };
  const spool = (mostEntries?: number) => createSpool(createPosixFileStore({ name: 'audit spool', root }), mostEntries);
  const open = async (mostEntries?: number): Promise<{ backlog: Backlog; recorder: Recorder }> => {
    const clock = increasing(() => nowMs);
    const onState = async (state: SpoolState) => void states.push(state);
    const backlog = await openBacklog({ inbox: inbox(), spool: spool(mostEntries), actor: 'worker data host-7 1', onState, clock });
    return { backlog, recorder: createRecorder(inbox(), backlog, clock) };
  };
  const at = (number: number): Operation => operationAt(number, nowMs);
  /** Numbers of the entries on record, in the log's order; `spool` of those that tell of the spool. */
  const onRecord = async (): Promise<(number | string)[]> => {
    await createSequencer(memory.log, () => nowMs + 60_000).sealDue();
    const found: (number | string)[] = [];
    for await (const { operation, stage, id } of queryLog(filesInMemory(memory.files()), {}))
      found.push(operation === 'spool' ? `spool ${stage}` : Number.parseInt(id, 16));
    return found;
  };
  const findings = async () => (await verifyLog(filesInMemory(memory.files()))).findings.map(({ kind }) => kind);

  test('entries are in the spool, and hours later on record in order, once, between two that say so; the log is whole', async () => {
    const { backlog, recorder } = await open();
    await recorder.record(at(0), 'spool');
    assert.deepEqual(await readdir(root), [], 'the log takes it');
    answers = 'out';
    for (const number of [1, 2, 3]) {
      nowMs += HOUR_MS;
      await recorder.record(at(number), 'spool');
    }
    assert.deepEqual(spoolState(await spool().waiting()), { entries: 3, since: new Date(START_MS + HOUR_MS).toISOString() });
    await send(memory, [operationAt(9, nowMs)], nowMs);
    assert.deepEqual(await onRecord(), [0, 9], 'others are heard meanwhile');
    answers = 'well';
    nowMs += 60_000;
    await Promise.all([backlog.emptied(), recorder.record(at(4), 'spool')]);
    await backlog.emptied();
    await recorder.record(at(5), 'wait');
    assert.deepEqual(await onRecord(), [0, 9, 'spool intent', 1, 2, 3, 'spool intent', 4, 'spool outcome', 'spool outcome', 5]);
    assert.deepEqual(await findings(), []);
    assert.deepEqual(await readdir(root), []);
    assert.deepEqual([states[1]?.entries, states.at(-1)], [1, { entries: 0 }]);
  });

  test('late entries that the log does not call late are found out', async () => {
    await send(memory, [operationAt(0, START_MS)], START_MS);
    await onRecord();
    nowMs += 3 * HOUR_MS;
    await send(memory, [operationAt(1, nowMs)], nowMs);
    await onRecord();
    await send(memory, [operationAt(2, START_MS)], START_MS);
    await onRecord();
    assert.deepEqual(await findings(), ['entry-out-of-time']);
  });

  test('a batch whose answer was lost is in the spool, and on record once', async () => {
    const { backlog, recorder } = await open();
    answers = 'lost';
    await recorder.record(at(1), 'spool');
    assert.equal((await readdir(root)).length, 1);
    assert.deepEqual(await onRecord(), [1]);
    answers = 'well';
    await backlog.emptied();
    assert.deepEqual(await onRecord(), [1, 'spool intent', 'spool outcome']);
    assert.deepEqual(await findings(), []);
  });

  test('what a killed process left, the next one puts on record before it takes work', async () => {
    const { recorder } = await open();
    answers = 'out';
    await recorder.record(at(1), 'spool');
    const again = await open();
    assert.equal(again.backlog.isEmpty(), false);
    answers = 'well';
    assert.equal((await open()).backlog.isEmpty(), true);
    assert.deepEqual(await onRecord(), ['spool intent', 1, 'spool outcome']);
  });

  test('the log may go out again, or the process be killed, at each step of sending: nothing is lost and nothing doubled', async () => {
    const { recorder } = await open();
    answers = 'out';
    for (const number of [1, 2, 3]) await recorder.record(at(number), 'spool');
    for (const puts of [0, 1, 2, 3, 4]) {
      answers = puts;
      await open();
    }
    answers = 'well';
    await open();
    assert.deepEqual(
      (await onRecord()).filter((each) => typeof each === 'number'),
      [1, 2, 3],
    );
    assert.deepEqual(await findings(), []);
  });

  test('the log is tried again every five seconds, also while more is kept all the time', async (context) => {
    const { backlog, recorder } = await open();
    context.mock.timers.enable({ apis: ['setTimeout'] });
    answers = 'out';
    await recorder.record(at(1), 'spool');
    context.mock.timers.tick(4000);
    answers = 'well';
    await recorder.record(at(2), 'spool');
    assert.equal(backlog.isEmpty(), false);
    context.mock.timers.tick(1000);
    for (let looks = 0; !backlog.isEmpty() && looks < 100_000; looks += 1) await setImmediate();
    assert.deepEqual(await onRecord(), ['spool intent', 1, 2, 'spool outcome']);
  });

  test('what must not go on is refused, and is not in the spool', async () => {
    const { recorder } = await open();
    answers = 'out';
    await assert.rejects(recorder.record(at(1), 'wait'), { name: 'StoreUnavailable', message: /so it is not done/ });
    assert.deepEqual(await readdir(root), []);
    await recorder.record(at(2), 'spool');
    await assert.rejects(recorder.record(at(3), 'wait'), { name: 'StoreUnavailable' });
    answers = 'well';
    await recorder.record(at(4), 'wait');
    assert.deepEqual(await onRecord(), ['spool intent', 2, 'spool outcome', 4], 'nothing overtakes what waits');
  });

  test('a spool that is full, or gone, takes nothing, and what would be in it is not done', async () => {
    const { recorder } = await open(2);
    answers = 'out';
    await recorder.record(at(1), 'spool');
    await recorder.record(at(2), 'spool');
    await assert.rejects(recorder.record(at(3), 'spool'), { name: 'StoreUnavailable', message: /2 entries wait here for the audit log/ });
    await rm(root, { recursive: true });
    await assert.rejects(recorder.record(at(4), 'spool'), { name: 'StoreUnavailable' });
    answers = 'well';
    await assert.rejects(recorder.record(at(5), 'wait'), { name: 'StoreUnavailable' }, 'nobody knows what was in it');
  });
});

test('what removes data or changes how long it is kept waits; so does all of a sensitive tenant, and of nobody where there is one', () => {
  const waiting = auditOperations.filter((operation) => whileLogIsOut({ operation, tenant: 'acme' }, ['clinic']) === 'wait');
  assert.deepEqual(waiting, ['delete', 'wipe', 'extend', 'hold', 'checkpoint-abandon', 'checkpoint-drop', 'give-up', 'spool']);
  for (const operation of auditOperations) {
    const expected = operation === 'revoke' ? 'spool' : 'wait';
    assert.equal(whileLogIsOut({ operation, tenant: 'clinic' }, ['clinic']), expected, operation);
    assert.equal(whileLogIsOut({ operation, tenant: undefined }, ['clinic']), expected, operation);
  }
  assert.equal(whileLogIsOut({ operation: 'copy', tenant: undefined }, []), 'spool');
});
