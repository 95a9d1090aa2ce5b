/** A large object into the racks and back, each operation a process of its own, beside rclone's plain copy of the same bytes; the two take turns in which is first. */
import { z } from 'zod';
import { nodeCommand } from '../../dev/site/node-process.ts';
import type { BenchContext } from '../harness/bench.ts';
import type { Gateway } from '../harness/gateway.ts';
import { processCpuSeconds } from '../harness/machine.ts';
import { type Measured, measure } from '../harness/measure.ts';
import { type Goal, median, type Row, row } from '../harness/rows.ts';
import type { Client } from '../transfer/client.ts';
import type { PreparedStage } from '../transfer/stage.ts';
import { totalBytes, type Workload } from '../transfer/workload.ts';
import type { Place } from './end-to-end-places.ts';

const RUNS = { full: 3, quick: 1 };
/** As fast as the peer, which writes 14 bytes where we write 18. */
const AS_FAST: Goal = { comparison: '>=', limit: 1 };
const DEGRADED: Goal = { comparison: '>=', limit: 0.8 };
const PEAK_RSS: Goal = { comparison: '<=', limit: 400, unit: 'MB' };
const lineSchema = z.record(z.string(), z.number());

type Operation = 'drain' | 'read' | 'degraded' | 'verify' | 'repair';

interface Run extends Measured {
  readonly serverCpuSeconds: number;
  /** Of our process until modules are loaded and racks open; the peer's is not told apart. */
  readonly startSeconds: number;
  /** What our process printed last. */
  readonly last: Readonly<Record<string, number>>;
}

export interface LargeObject {
  readonly place: Place;
  readonly gateway: Gateway;
  readonly prepared: PreparedStage;
  readonly rclone: Client;
  readonly workload: Workload;
  /** Its content. */
  readonly file: string;
}

export async function largeObjectRows(context: BenchContext, object: LargeObject): Promise<Row[]> {
  const { options } = context;
  const runs: Runs = { drain: [], peer: [], read: [], degraded: [], verify: [], repair: [] };
  const sides = [() => peerTurn(context, object, runs), () => oursTurn(context, object, runs)];
  for (let turn = 0; turn < (options.runs ?? (options.quick ? RUNS.quick : RUNS.full)); turn++) {
    // Whoever is first pays for what the machine has to fetch back.
    for (const side of turn % 2 === 0 ? sides : sides.toReversed()) {
      await object.place.clear();
      await object.prepared.settle();
      await side();
    }
  }
  return rowsOf(object, runs, !options.quick);
}

type Runs = Readonly<Record<Operation | 'peer', Run[]>>;

async function peerTurn(context: BenchContext, object: LargeObject, { peer }: Runs): Promise<void> {
  const { only } = context.options;
  if (only.length === 0 || only.includes('rclone')) peer.push(await peerRun(context, object));
}

async function oursTurn(context: BenchContext, object: LargeObject, runs: Runs): Promise<void> {
  const reads = ['read', 'degraded'] as const;
  const operations: readonly Operation[] = [
    'drain',
    ...(runs.read.length % 2 === 0 ? reads : reads.toReversed()),
    // No peer does it, and a repair reads as much.
    ...(context.options.quick ? [] : (['verify'] as const)),
    'repair',
  ];
  for (const operation of operations) runs[operation].push(await oursRun(context, object, operation));
}

/** @param isJudgedWithStart a worker starts once; of short runs the start would be most */
function rowsOf({ place, workload }: LargeObject, runs: Runs, isJudgedWithStart: boolean): Row[] {
  const bytes = totalBytes(workload);
  const seconds = (run: Run, withStart: boolean): number => run.wallSeconds - (withStart ? 0 : run.startSeconds);
  const rate = (of: readonly Run[], withStart = isJudgedWithStart): number | undefined =>
    of.length > 0 ? bytes / 1e6 / median(of.map((run) => seconds(run, withStart))) : undefined;
  const rebuilt = runs.repair.map(({ last }) => (last['bytes'] ?? 0) / 1000 / (last['milliseconds'] ?? 1));
  const suffix = isJudgedWithStart ? '' : ', ours started';
  const cpu = (of: readonly Run[], field: 'cpuSeconds' | 'serverCpuSeconds'): number | undefined =>
    of.length > 0 ? median(of.map((run) => run[field])) / (bytes / 1e9) : undefined;
  const peak = (of: readonly Run[]): number | undefined => (of.length > 0 ? Math.max(...of.map(({ peakRssBytes }) => peakRssBytes)) / 1e6 : undefined);
  const name = (operation: string): string => `${operation}/${place.kind}/${workload.name}`;
  const beside = (ours: number | undefined, other: number | undefined, peerName: string) => ({
    ...(ours === undefined ? {} : { ours }),
    ...(other === undefined ? {} : { peer: other, peerName }),
  });
  const drain = name('drain');
  const read = name('read');
  const rclone = 'rclone, one bucket';
  return [
    row({ case: drain, metric: `throughput${suffix}`, unit: 'MB/s', ...beside(rate(runs.drain), rate(runs.peer), rclone), goal: AS_FAST }),
    row({ case: drain, metric: 'client CPU', unit: 's/GB', ...beside(cpu(runs.drain, 'cpuSeconds'), cpu(runs.peer, 'cpuSeconds'), rclone) }),
    row({ case: drain, metric: 'server CPU', unit: 's/GB', ...beside(cpu(runs.drain, 'serverCpuSeconds'), cpu(runs.peer, 'serverCpuSeconds'), rclone) }),
    row({ case: drain, metric: 'peak RSS', unit: 'MB', ...beside(peak(runs.drain), peak(runs.peer), rclone), goal: PEAK_RSS }),
    row({
      case: read,
      metric: `throughput, 4 racks gone${suffix}`,
      unit: 'MB/s',
      ...beside(rate(runs.degraded), rate(runs.read), 'all racks well'),
      goal: DEGRADED,
    }),
    row({
      case: read,
      metric: 'client CPU, 4 racks gone',
      unit: 's/GB',
      ...beside(cpu(runs.degraded, 'cpuSeconds'), cpu(runs.read, 'cpuSeconds'), 'all racks well'),
    }),
    ...(runs.verify.length > 0
      ? [row({ case: name('verify'), metric: `throughput${suffix}`, unit: 'MB/s', ...beside(rate(runs.verify), undefined, '') })]
      : []),
    row({ case: name('repair'), metric: '4 shards rebuilt', unit: 'MB/s', ours: median(rebuilt) }),
    row({ case: name('repair'), metric: 'peak RSS', unit: 'MB', ...beside(peak(runs.repair), undefined, ''), goal: PEAK_RSS }),
    row({ case: read, metric: 'peak RSS', unit: 'MB', ...beside(peak([...runs.read, ...runs.degraded]), undefined, ''), goal: PEAK_RSS }),
  ];
}

async function oursRun({ workspace, log }: BenchContext, { gateway, place, workload, file }: LargeObject, operation: Operation): Promise<Run> {
  const command = { ...nodeCommand('bench/erasure/end-to-end-ours.ts', [operation, place.url, file]), environment: place.environment };
  const before = processCpuSeconds(gateway.pid);
  const measured = await measure(workspace, command);
  const lines = measured.stdout.trimEnd().split('\n');
  const last = lineSchema.parse(JSON.parse(lines.at(-1) ?? '{}'));
  // Fewer shards would be less work.
  if (last['missingShards']) throw new Error(`${operation}: ${last['missingShards']} shards were left out`);
  const startSeconds = lineSchema.parse(JSON.parse(lines[0] ?? '{}'))['startSeconds'] ?? 0;
  log(`${operation}/${place.kind}/${workload.name}: ${measured.wallSeconds.toFixed(2)} s`);
  return { ...measured, last, startSeconds, serverCpuSeconds: processCpuSeconds(gateway.pid) - before };
}

async function peerRun({ log, workspace }: BenchContext, { gateway, prepared, rclone }: LargeObject): Promise<Run> {
  const task = await prepared.task('up');
  const command = rclone.command(task);
  if (!command) throw new Error('rclone cannot upload');
  const before = processCpuSeconds(gateway.pid);
  const measured = await measure(workspace, command);
  await prepared.check(task);
  await prepared.clear(task);
  log(`rclone: ${measured.wallSeconds.toFixed(2)} s`);
  return { ...measured, last: {}, startSeconds: 0, serverCpuSeconds: processCpuSeconds(gateway.pid) - before };
}
