/** From batches to segments and checkpoints: nothing lost, nothing doubled, whoever runs it and wherever it is killed. */
import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import fc from 'fast-check';
import { openBundle, packBundle } from '../../../../datapath/audit/bundle.ts';
import { names } from '../../../../datapath/audit/layout.ts';
import type { LockedLog } from '../../../../datapath/audit/locked-log.ts';
import { filesOf } from '../../../../datapath/audit/locked-log.ts';
import { queryLog } from '../../../../datapath/audit/query.ts';
import { parseSegment, unpackLines } from '../../../../datapath/audit/segment.ts';
import { createSequencer } from '../../../../datapath/audit/sequencer.ts';
import { verifyLog } from '../../../../datapath/audit/verify.ts';
import { SYSTEM_BUCKET } from '../../../../model/location.ts';
import { BUCKET, lineOf, type MemoryLog, memoryLog, newSigner, openLog, operationAt, SITE, START_MS, send, witnessNotes } from '../../../support/audit-log.ts';

const sealAt = (log: LockedLog, nowMs: number): Promise<number> => createSequencer(log, () => nowMs).sealDue();

async function linesOf(memory: MemoryLog): Promise<string[]> {
  const lines: string[] = [];
  for (const [name, body] of memory.files())
    if (name.startsWith('segments/')) lines.push(...unpackLines(body).filter((line) => line.includes('"kind":"operation"')));
  return lines;
}

const findingsOf = async (memory: MemoryLog, kept = witnessNotes(memory)) => (await verifyLog(filesOf(memory.log), { kept })).findings;
const waiting = (memory: MemoryLog): string[] => [...memory.warm.objects.keys()].filter((path) => path.startsWith(`${SYSTEM_BUCKET}/audit/${SITE}/inbox/`));

test('a batch waits for its minute, a thousand entries do not', async () => {
  const memory = memoryLog();
  let now = START_MS;
  const sequencer = createSequencer(memory.log, () => now);
  await sequencer.sealDue();
  await send(memory, [operationAt(0, now)], now);
  now += 59_000;
  assert.equal(await sequencer.sealDue(), 0);
  now += 1000;
  assert.equal(await sequencer.sealDue(), 1);
  for (const part of [0, 1])
    await send(
      memory,
      Array.from({ length: 500 }, (_, index) => operationAt(1 + part * 500 + index, now)),
      now,
    );
  assert.equal(await sequencer.sealDue(), 1000);
  assert.equal(await sequencer.sealDue(), 0);
  assert.deepEqual(waiting(memory), []);
  assert.deepEqual(await findingsOf(memory), []);
  for (const name of [names.segment(2), names.checkpoint(2), names.leaves(2)])
    await assert.rejects(memory.log.store.remove(BUCKET, `${memory.log.prefix}${name}`), { name: 'Denied' });
});

test('killed before or after any of its steps, with several at once, each entry is in the log once', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(40), { minLength: 1, maxLength: 12 }), fc.boolean(), async (kills, isAfter) => {
      let steps = Number.POSITIVE_INFINITY;
      let isDead = false;
      const die = (): never => {
        isDead = true;
        throw new Error('killed');
      };
      const memory = memoryLog({
        onChange: () => {
          if (isDead || steps-- <= 0) die();
        },
      });
      const expected: string[] = [];
      let now = START_MS;
      for (const [round, kill] of kills.entries()) {
        [steps, isDead] = [Number.POSITIVE_INFINITY, false];
        const operations = Array.from({ length: 3 }, (_, index) => operationAt(round * 3 + index, now));
        await send(memory, operations, now);
        expected.push(...operations.map(lineOf));
        now += 60_000;
        steps = isAfter ? kill : kill % 8;
        await Promise.allSettled([sealAt(memory.log, now), sealAt(memory.log, now)]);
      }
      [steps, isDead] = [Number.POSITIVE_INFINITY, false];
      await sealAt(memory.log, now + 60_000);
      assert.deepEqual((await linesOf(memory)).sort(), expected.sort());
      assert.deepEqual(waiting(memory), []);
      assert.deepEqual(await findingsOf(memory), []);
    }),
    { numRuns: 60 },
  );
});

test('a batch that its sender repeats hours after it was sealed is not doubled', async () => {
  const memory = memoryLog();
  const operations = [operationAt(0, START_MS)];
  await send(memory, operations, START_MS);
  for (let round = 1; round < 130; round += 1) {
    await send(memory, [operationAt(round, START_MS + round * 120_000)], START_MS + round * 120_000);
    await sealAt(memory.log, START_MS + round * 120_000 + 60_000);
  }
  await send(memory, operations, START_MS);
  await sealAt(memory.log, START_MS + 140 * 120_000);
  assert.equal((await linesOf(memory)).length, 130);
  assert.deepEqual(waiting(memory), []);
  assert.deepEqual(await findingsOf(memory), []);
});

test('what is no batch is put aside and told, and holds up nothing', async () => {
  const memory = memoryLog();
  const inbox = `${SYSTEM_BUCKET}/audit/${SITE}/inbox/`;
  memory.warm.objects.set(`${inbox}000000000000000-0001-00000000000000000000000000000000.jsonl`, Buffer.from('{"kind":"key"}\n'));
  memory.warm.objects.set(`${inbox}zzz`, Buffer.from('?'));
  await send(memory, [operationAt(0, START_MS)], START_MS);
  await sealAt(memory.log, START_MS + 60_000);
  assert.equal((await linesOf(memory)).length, 1);
  assert.deepEqual(
    (await findingsOf(memory)).map(({ kind }) => kind),
    ['batch-refused', 'batch-refused'],
  );
  assert.ok(memory.warm.objects.has(`${SYSTEM_BUCKET}/audit/${SITE}/refused/zzz`));
  assert.deepEqual(waiting(memory), []);
});

test('a new key is announced under the one before it; the verifier walks the chain, and a key that nobody announced is told', async () => {
  const memory = memoryLog();
  const [log, witness] = [memory.keys.log[0], memory.keys.witness[0]];
  await send(memory, [operationAt(0, START_MS)], START_MS);
  await sealAt(memory.log, START_MS + 60_000);
  const [nextLog, nextWitness] = [newSigner('log'), newSigner('witness')];
  await assert.rejects(sealAt(openLog(memory, { log: [nextLog], witness: [witness] }), START_MS + 120_000), /audit\.key: found .*; from segment 1 on/);
  const changing = openLog(memory, { log: [nextLog, log], witness: [nextWitness, witness] });
  await sealAt(changing, START_MS + 120_000);
  await send(memory, [operationAt(1, START_MS + 120_000)], START_MS + 120_000);
  const changed = openLog(memory, { log: [nextLog], witness: [nextWitness] });
  await sealAt(changed, START_MS + 180_000);
  await assert.rejects(sealAt(memory.log, START_MS + 240_000), /audit\.key/);
  const verified = await verifyLog(filesOf(memory.log), { key: log.verifier, kept: witnessNotes(memory) });
  assert.deepEqual([verified.findings, verified.segments, verified.signer], [[], 3, log.verifier]);
  const { header } = parseSegment(unpackLines(memory.files().get(names.segment(2)) ?? Buffer.alloc(0)));
  assert.deepEqual([header.signer, header.witness], [nextLog.verifier, nextWitness.verifier]);
  const kinds = (await verifyLog(filesOf(memory.log), { key: nextLog.verifier })).findings.map(({ kind }) => kind);
  assert.deepEqual(kinds, ['key-not-announced']);
});

test('the witness signs no fork: a log made anew gets no further checkpoint', async () => {
  const memory = memoryLog();
  for (const round of [0, 1]) {
    await send(memory, [operationAt(round, START_MS + round * 60_000)], START_MS + round * 60_000);
    await sealAt(memory.log, START_MS + round * 60_000 + 60_000);
  }
  const fork = memoryLog({ keys: memory.keys });
  const others = Array.from({ length: 3 }, (_, number) => operationAt(100 + number, START_MS));
  await send(fork, others, START_MS);
  await sealAt(fork.log, START_MS + 180_000);
  for (const [path] of fork.warm.objects) if (path.includes('/witness/')) fork.warm.objects.delete(path);
  for (const [path, body] of memory.warm.objects) fork.warm.objects.set(path, body);
  await send(fork, [operationAt(200, START_MS)], START_MS);
  await assert.rejects(sealAt(fork.log, START_MS + 240_000), /The witness does not sign the checkpoint: at 8 leaves it does not continue the 6/);
  assert.ok(!fork.files().has(names.checkpoint(1)));
});

test('a query needs no index, and names a segment that it cannot read instead of leaving its entries out in silence', async () => {
  const memory = memoryLog();
  const operations = Array.from({ length: 230 }, (_, number) => operationAt(number, START_MS + number * 60_000));
  for (const [number, operation] of operations.entries()) {
    await send(memory, [operation], START_MS + number * 60_000);
    await sealAt(memory.log, START_MS + number * 60_000 + 60_000);
  }
  const at = (name: string) => `${BUCKET}/audit/${SITE}/${name}`;
  const ask = async () => {
    const [found, told]: [unknown[], string[]] = [[], []];
    for await (const each of queryLog(filesOf(memory.log), {}, (what) => told.push(what))) found.push(each);
    return { found, told };
  };
  memory.cold.objects.delete(at(names.page(0)));
  for (const number of [7, 150, 205, 229]) memory.cold.objects.delete(at(names.index(number)));
  memory.cold.objects.set(at(names.index(210)), Buffer.from('{ no index'));
  assert.deepEqual(await ask(), { found: operations, told: [] });
  for (const number of [7, 205, 220]) memory.cold.objects.delete(at(names.segment(number)));
  memory.cold.objects.set(at(names.segment(150)), Buffer.from('no segment'));
  const { found, told } = await ask();
  assert.deepEqual(
    found,
    operations.filter((_, number) => ![7, 150, 205, 220].includes(number)),
  );
  assert.deepEqual(told.map((what) => /^segment \d+ (?:is gone|cannot be read)/.exec(what)?.[0]).sort(), [
    'segment 150 cannot be read',
    'segment 205 is gone',
    'segment 220 is gone',
    'segment 7 is gone',
  ]);
});

test('a segment that was taken away, even the last one, is not made anew: nothing is sealed over it, and it goes on when it is back', async () => {
  for (const gone of [1, 2]) {
    const memory = memoryLog();
    for (const round of [0, 1, 2]) {
      await send(memory, [operationAt(round, START_MS + round * 60_000)], START_MS + round * 60_000);
      await sealAt(memory.log, START_MS + round * 60_000 + 60_000);
    }
    const path = `${BUCKET}/audit/${SITE}/${names.segment(gone)}`;
    const segment = memory.cold.objects.get(path);
    assert.ok(segment);
    memory.cold.objects.delete(path);
    const before = new Map(memory.cold.objects);
    await send(memory, [operationAt(3, START_MS + 240_000)], START_MS + 240_000);
    await assert.rejects(
      sealAt(memory.log, START_MS + 300_000),
      new RegExp(`${names.segment(gone)} is gone: the witness signed 8 leaves, and ${2 + 2 * gone} are there`),
    );
    assert.deepEqual(memory.cold.objects, before);
    assert.equal(waiting(memory).length, 1);
    memory.cold.objects.set(path, segment);
    assert.equal(await sealAt(memory.log, START_MS + 300_000), 1);
    assert.deepEqual(await findingsOf(memory), []);
  }
});

test('a clock set back is told, and so is an entry of another time', async () => {
  const memory = memoryLog();
  await send(memory, [operationAt(0, START_MS)], START_MS);
  await sealAt(memory.log, START_MS + 60_000);
  const [dayBefore, dayAfter] = [START_MS - 86_400_000, START_MS + 86_400_000];
  await send(memory, [operationAt(1, dayBefore)], START_MS + 60_000);
  await send(memory, [operationAt(2, dayAfter)], START_MS + 60_000);
  await sealAt(memory.log, START_MS + 120_000);
  await send(memory, [operationAt(3, dayBefore)], dayBefore);
  await sealAt(memory.log, dayBefore + 60_000);
  const findings = await findingsOf(memory);
  assert.deepEqual(
    findings.map(({ kind, segment }) => [kind, segment]),
    [
      ['entry-out-of-time', 1],
      ['entry-out-of-time', 1],
      ['clock-went-back', 2],
    ],
  );
});

test('a query finds exactly what was recorded, over pages, records and times, whatever stands in a name; bundles of it prove themselves', async () => {
  const memory = memoryLog();
  const odd = 'warm:s3://acme/a\nb\u2028\u001b[2K"\\/é\u202e';
  const operations = Array.from({ length: 240 }, (_, number) =>
    operationAt(number, START_MS + number * 60_000, {
      allocationId: `train-${number % 7}`,
      ...(number % 50 === 3 ? { paths: [odd] } : {}),
      ...(number % 7 === 2 && number < 10 ? { operation: 'admit', user: 'ada' } : {}),
      ...(number === 97 ? { tenant: 'other', nodeId: 'n097' } : {}),
    }),
  );
  for (const [number, operation] of operations.entries()) {
    await send(memory, [operation], START_MS + number * 60_000);
    await sealAt(memory.log, START_MS + number * 60_000 + 60_000);
  }
  assert.ok(memory.files().has(names.page(1)));
  const ask = async (query: Parameters<typeof queryLog>[1]) => {
    const found = [];
    for await (const each of queryLog(filesOf(memory.log), query)) found.push(each);
    return found;
  };
  const kept = (wanted: (number: number) => boolean) => operations.filter((_, number) => wanted(number));
  assert.deepEqual(await ask({}), operations);
  assert.deepEqual(
    await ask({ allocation: 'acme/vision/train-3' }),
    kept((number) => number % 7 === 3),
  );
  assert.deepEqual(await ask({ allocation: 'other/vision/train-3' }), []);
  for (const query of [{ tenant: 'other' }, { node: 'n097' }, { tenant: 'other', node: 'n097', operation: operations[97]?.operation ?? 'copy' }])
    assert.deepEqual(await ask(query), [operations[97]]);
  assert.deepEqual(await ask({ tenant: 'acme', node: 'n097' }), []);
  assert.deepEqual(
    await ask({ path: odd }),
    kept((number) => number % 50 === 3),
  );
  assert.deepEqual(
    await ask({ user: 'ada' }),
    kept((number) => number % 7 === 2),
  );
  assert.deepEqual(
    await ask({ operation: 'admit', limit: 1 }),
    kept((number) => number === 2),
  );
  const [since, until] = [new Date(START_MS + 100 * 60_000).toISOString(), new Date(START_MS + 105 * 60_000).toISOString()];
  assert.deepEqual(
    await ask({ since, until }),
    kept((number) => number >= 100 && number < 105),
  );
  assert.deepEqual(await findingsOf(memory), []);

  for (const range of [
    { first: 0, last: 239 },
    { first: 57, last: 213 },
  ]) {
    const lines: string[] = [];
    for await (const line of packBundle(filesOf(memory.log), range, memory.log.origin, memory.keys.log[0], START_MS)) lines.push(line.trimEnd());
    const whole = await openBundle(Readable.from(lines));
    const { findings, segments } = await verifyLog(whole.files, { key: memory.keys.log[0].verifier });
    assert.deepEqual([findings, segments, whole.sealedBy], [[], range.last - range.first + 1, memory.keys.log[0].verifier]);
    assert.equal((await openBundle(Readable.from(lines.toSpliced(3, 1)))).sealedBy, undefined);
    await assert.rejects(openBundle(Readable.from(lines.slice(0, -1))), /its end is missing/);
  }
});
