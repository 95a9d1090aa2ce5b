/** `npm run bench -- audit`: a log of a million entries over thirty days, sealed, queried and verified over S3; and what it costs to be on record. */
import { generateKeyPairSync } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { packBatch, putBatch } from '../../datapath/audit/batch.ts';
import { filesOf, type LockedLog } from '../../datapath/audit/locked-log.ts';
import { type KeyRole, openSigner } from '../../datapath/audit/note.ts';
import { type AuditQuery, queryLog } from '../../datapath/audit/query.ts';
import { createRecorder } from '../../datapath/audit/recorder.ts';
import { createSequencer } from '../../datapath/audit/sequencer.ts';
import { verifyLog } from '../../datapath/audit/verify.ts';
import type { ObjectStore } from '../../drivers/object-store/port.ts';
import { createS3ObjectStore } from '../../drivers/object-store/s3.ts';
import { SYSTEM_BUCKET } from '../../model/location.ts';
import type { Bench, BenchContext, BenchOutcome } from '../harness/bench.ts';
import { describeFlags, type Gateway, startGateway } from '../harness/gateway.ts';
import { type Goal, median, type Row, row } from '../harness/rows.ts';
import { benchActivities } from './activities.ts';
import { END_MS, entriesFrom, START_MS } from './entries.ts';

export const auditBench: Bench = {
  name: 'audit',
  summary: 'an audit log of a million entries: sealed, queried, verified; activities on record, against the same without',
  takes: { full: '6 minutes', quick: '40 s' },
  tools: ['versitygw', 'temporal'],
  run: runAudit,
};

const ENTRIES = { full: 1_000_000, quick: 50_000 };
const BATCH_ENTRIES = 500;
const BUCKET = 'audit';
const RUNS = 5;
const RECORDED = 200;
const IN_ONE_SECOND: Goal = { comparison: '<=', limit: 1, unit: 's' };
const IN_TEN_SECONDS: Goal = { comparison: '<=', limit: 10, unit: 's' };

async function runAudit(context: BenchContext): Promise<BenchOutcome> {
  const { cases = /^/ } = context.options;
  const log = cases.test('log') ? await benchLog(context) : { rows: [], facts: [] };
  await context.keep(log.rows);
  return { rows: [...log.rows, ...(cases.test('activities') ? await benchActivities(context) : [])], facts: log.facts };
}

async function benchLog({ options, workspace, log: say }: BenchContext): Promise<BenchOutcome> {
  const entries = options.quick ? ENTRIES.quick : ENTRIES.full;
  const root = await workspace.directory('/dev/shm');
  const [tree, logs] = [join(root, 'tree'), join(root, 'logs')];
  await mkdir(tree);
  await mkdir(logs);
  const gateway = await startGateway(workspace, { name: 'gateway', root: tree, logs });
  const store = storeOf(gateway);
  for (const bucket of [BUCKET, SYSTEM_BUCKET]) await store.ensureBucket(bucket);
  const locked = openLog(store);
  const files = filesOf(locked);
  const rows: Row[] = [];

  const sealing = await timed(() => sealAll(locked, entries, say));
  rows.push(row({ case: `seal/${entries}`, metric: 'rate', unit: 'entries/s', ours: entries / sealing.seconds }));
  const [since, until] = [new Date(START_MS).toISOString(), new Date(END_MS).toISOString()];
  const queries: readonly (readonly [string, AuditQuery, Goal])[] = [
    ['query/one allocation', { allocation: 'tenant-3/vision/train-000103' }, IN_ONE_SECOND],
    ['query/30 days of a path', { since, until, path: 's3://tenant-3/vision/train-000103/' }, IN_TEN_SECONDS],
    ['query/30 days, all of a node', { since, until, node: 'n007' }, IN_TEN_SECONDS],
    ['query/30 days, every entry', { since, until }, IN_TEN_SECONDS],
  ];
  for (const [name, query, goal] of queries) {
    const runs = [];
    for (let run = 0; run < (options.runs ?? RUNS); run += 1) runs.push(await timed(() => count(queryLog(files, query))));
    const [taken, found] = [median(runs.map((run) => run.seconds)), runs[0]?.value ?? 0];
    say(`${name}: ${found} entries in ${taken.toFixed(2)} s`);
    rows.push(row({ case: `${name}, ${found} found`, metric: 'time', unit: 's', ours: taken, goal }));
  }
  const verifying = await timed(() => verifyLog(files));
  if (verifying.value.findings.length > 0) throw new Error(`${verifying.value.findings.length} findings in a log that nobody touched`);
  rows.push(row({ case: `verify/${entries}`, metric: 'time', unit: 's', ours: verifying.seconds }));
  rows.push(...(await recording(locked)));
  await gateway.stop();
  return { rows, facts: [['gateway, over memory', `versitygw ${describeFlags()}; without Object Lock`]] };
}

/** The gateway of benchmarks keeps no versions, so nothing is locked here. */
function storeOf({ endpoint, region, accessKeyId, secretAccessKey }: Gateway): ObjectStore {
  const store = createS3ObjectStore({ name: 'bench', endpoint, region, credentials: { accessKeyId, secretAccessKey } });
  return { ...store, writeBytes: (bucket, key, body, { retention: _none, ...write } = {}) => store.writeBytes(bucket, key, body, write) };
}

function openLog(store: ObjectStore): LockedLog {
  const signer = (role: KeyRole) =>
    openSigner(generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(), `penstock/bench/${role}`, role);
  return {
    store,
    bucket: BUCKET,
    prefix: 'audit/bench/',
    origin: 'penstock/bench/audit',
    inbox: { store, prefix: 'audit/bench/inbox/' },
    refusedPrefix: 'audit/bench/refused/',
    witnessPrefix: 'audit/bench/witness/',
    logKeys: [signer('log')],
    witnessKeys: [signer('witness')],
    retentionYears: 7,
    checkpointSeconds: 60,
  };
}

async function sealAll(log: LockedLog, entries: number, say: (line: string) => void): Promise<void> {
  let nowMs = START_MS;
  const sequencer = createSequencer(log, () => nowMs);
  const stride = (END_MS - START_MS) / entries;
  for (let sent = 0; sent < entries; sent += BATCH_ENTRIES) {
    nowMs = Math.floor(START_MS + (sent + BATCH_ENTRIES) * stride);
    await putBatch(log.inbox, packBatch(entriesFrom(sent, BATCH_ENTRIES, stride), nowMs), new AbortController().signal);
    await sequencer.sealDue();
    if (sent % 100_000 === 0) say(`${sent} entries sealed`);
  }
  nowMs += 60_000;
  await sequencer.sealDue();
}

async function recording({ inbox }: LockedLog): Promise<Row[]> {
  const recorder = createRecorder(inbox);
  const operations = entriesFrom(0, RECORDED, 1);
  const alone: number[] = [];
  for (const operation of operations) alone.push((await timed(() => recorder.record(operation, 'wait'))).seconds * 1000);
  const together = await timed(() => Promise.all(operations.map((operation) => recorder.record(operation, 'wait'))));
  return [
    row({ case: 'record/one at a time', metric: 'time of one', unit: 'ms', ours: median(alone) }),
    row({ case: `record/${RECORDED} at once`, metric: 'time of all', unit: 'ms', ours: together.seconds * 1000 }),
  ];
}

async function timed<T>(work: () => Promise<T>): Promise<{ readonly seconds: number; readonly value: T }> {
  const startedAt = performance.now();
  const value = await work();
  return { seconds: (performance.now() - startedAt) / 1000, value };
}

async function count(rows: AsyncIterable<unknown>): Promise<number> {
  let found = 0;
  for await (const _ of rows) found += 1;
  return found;
}
