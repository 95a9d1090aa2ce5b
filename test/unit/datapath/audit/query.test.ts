import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type LogFiles, names } from '../../../../datapath/audit/layout.ts';
import { filesOf } from '../../../../datapath/audit/locked-log.ts';
import { queryLog } from '../../../../datapath/audit/query.ts';
import { createSequencer } from '../../../../datapath/audit/sequencer.ts';
import { memoryLog, operationAt, START_MS, send } from '../../../support/audit-log.ts';

test('who has enough of a query ends what is being read ahead of it', async () => {
  const memory = memoryLog();
  const operations = Array.from({ length: 4 }, (_, number) => operationAt(number, START_MS + number * 60_000));
  for (const [number, operation] of operations.entries()) {
    await send(memory, [operation], START_MS + number * 60_000);
    await createSequencer(memory.log, () => START_MS + (number + 1) * 60_000).sealDue();
  }
  const files = filesOf(memory.log);
  const later = [names.segment(1), names.segment(2), names.segment(3)];
  const ended: string[] = [];
  const read: LogFiles['read'] = (name, signal) =>
    later.includes(name)
      ? new Promise((_, reject) =>
          signal?.addEventListener('abort', () => {
            ended.push(name);
            reject(signal.reason);
          }),
        )
      : files.read(name, signal);
  const found = [];
  for await (const operation of queryLog({ ...files, read }, { limit: 1 })) found.push(operation);
  assert.deepEqual([found, ended], [operations.slice(0, 1), later]);
});
