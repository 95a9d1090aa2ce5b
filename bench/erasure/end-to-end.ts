/**
 * One large object into 18 racks and back, beside rclone's plain copy of the same bytes to one bucket of the same gateway, in turns; healthy against degraded reads; and
 * what objects of all sizes cost. Everything lies in memory file systems.
 */
import { mkdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { nodeCommand } from '../../dev/site/node-process.ts';
import type { Bench, BenchContext, BenchOutcome } from '../harness/bench.ts';
import { describeFlags, type Gateway } from '../harness/gateway.ts';
import { processCpuSeconds } from '../harness/machine.ts';
import { type Measured, measure } from '../harness/measure.ts';
import { type Goal, median, type Row, row } from '../harness/rows.ts';
import { cleanEnvironment } from '../transfer/client.ts';
import { rcloneClient } from '../transfer/rclone.ts';
import { type PreparedStage, prepareStage } from '../transfer/stage.ts';
import { totalBytes, type Workload } from '../transfer/workload.ts';
import { rackNames } from './end-to-end-racks.ts';
import { sizeRows } from './end-to-end-sizes.ts';

export const endToEndPart: Pick<Bench, 'tools' | 'run'> = { tools: ['versitygw', 'rclone'], run: runEndToEnd };

export type RackKind = 's3' | 'posix';
export interface Place {
  readonly kind: RackKind;
  readonly url: string;
  readonly environment: NodeJS.ProcessEnv;
  /** Its racks are empty afterwards. */
  clear(): Promise<void>;
}

const full: Workload = { name: '4GiB', files: 1, bytesEach: 4 * 2 ** 30 };
const quick: Workload = { name: '256MiB', files: 1, bytesEach: 256 * 2 ** 20 };
const RUNS = { full: 3, quick: 1 };
/** As fast as the peer, which writes 14 bytes where we write 18. */
const AS_FAST: Goal = { comparison: '>=', limit: 1 };
const DEGRADED: Goal = { comparison: '>=', limit: 0.8 };
const lineSchema = z.record(z.string(), z.number());
const PEAK_RSS: Goal = { comparison: '<=', limit: 400, unit: 'MB' };

interface Run extends Measured {
  readonly serverCpuSeconds: number;
  /** Of our process until modules are loaded and racks open; the peer's is not told apart. */
  readonly startSeconds: number;
  /** What our process printed last. */
  readonly last: Readonly<Record<string, number>>;
}

async function runEndToEnd(context: BenchContext): Promise<BenchOutcome> {
  const { options, workspace } = context;
  const workload = options.quick ? quick : full;
  const isWanted = (name: string): boolean => options.cases?.test(name) ?? true;
  if (!['drain', 'read', 'sizes'].some((word) => (['s3', 'posix'] as const).some((kind) => isWanted(`${word}/${kind}/${workload.name}`)))) {
    return { rows: [], facts: [] };
  }
  const rclone = await rcloneClient();
  const stage = { storage: 'memory', transport: 'http', workload, operations: ['up'], runs: 1, judgedWithStart: true } as const;
  const prepared = await prepareStage(workspace, stage, rclone);
  const [gateway] = prepared.gateways;
  if (!gateway) throw new Error('no gateway was started');
  try {
    const rows: Row[] = [];
    const task = await prepared.task('up');
    if (task.source.kind !== 'directory') throw new Error('the source is no directory');
    const file = join(task.source.path, 'd000', 'file-000000.bin');
    for (const place of await places(gateway)) {
      if (isWanted(`drain/${place.kind}/${workload.name}`) || isWanted(`read/${place.kind}/${workload.name}`)) {
        rows.push(...(await largeObject(context, prepared, gateway, place, { workload, file, peer: () => peerRun(context, prepared, gateway, rclone) })));
      }
      if (isWanted(`sizes/${place.kind}`)) rows.push(...(await sizeRows(context, place)));
      await place.clear();
    }
    return {
      rows,
      facts: [
        ['end to end', `18 racks; s3: buckets of versitygw ${describeFlags()}; posix: directories; all in memory`],
        ['rclone', rclone.flags('up', workload).join(' ')],
      ],
    };
  } finally {
    await prepared.end();
  }
}

interface LargeObject {
  readonly workload: Workload;
  readonly file: string;
  peer(): Promise<Run>;
}

async function largeObject(
  context: BenchContext,
  prepared: PreparedStage,
  gateway: Gateway,
  place: Place,
  { workload, file, peer }: LargeObject,
): Promise<Row[]> {
  const { options, log } = context;
  const runs = { drain: [] as Run[], peer: [] as Run[], read: [] as Run[], degraded: [] as Run[], verify: [] as Run[], repair: [] as Run[] };
  for (let turn = 1; turn <= (options.runs ?? (options.quick ? RUNS.quick : RUNS.full)); turn++) {
    await prepared.settle();
    if (options.only.length === 0 || options.only.includes('rclone')) runs.peer.push(await peer());
    await place.clear();
    await prepared.settle();
    for (const operation of ['drain', 'read', 'degraded', 'verify', 'repair'] as const) {
      const run = await oursRun(context, gateway, place, operation, file);
      runs[operation].push(run);
      log(`${operation}/${place.kind}/${workload.name} ${turn}: ${run.wallSeconds.toFixed(2)} s`);
    }
  }
  const bytes = totalBytes(workload);
  // A worker starts once; in short runs the start would be most of it.
  const isJudgedWithStart = !options.quick;
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
    row({ case: name('verify'), metric: `throughput${suffix}`, unit: 'MB/s', ...beside(rate(runs.verify), undefined, '') }),
    row({ case: name('repair'), metric: '4 shards rebuilt', unit: 'MB/s', ours: median(rebuilt) }),
    row({ case: name('repair'), metric: 'peak RSS', unit: 'MB', ...beside(peak(runs.repair), undefined, ''), goal: PEAK_RSS }),
    row({ case: read, metric: 'peak RSS', unit: 'MB', ...beside(peak([...runs.read, ...runs.degraded]), undefined, ''), goal: PEAK_RSS }),
  ];
}

async function oursRun({ workspace }: BenchContext, gateway: Gateway, place: Place, operation: string, file: string): Promise<Run> {
  const command = { ...nodeCommand('bench/erasure/end-to-end-ours.ts', [operation, place.url, file]), environment: place.environment };
  const before = processCpuSeconds(gateway.pid);
  const measured = await measure(workspace, command);
  const lines = measured.stdout.trimEnd().split('\n');
  const last = lineSchema.parse(JSON.parse(lines.at(-1) ?? '{}'));
  // Fewer shards would be less work.
  if (last['missingShards']) throw new Error(`${operation}: ${last['missingShards']} shards were left out`);
  const startSeconds = lineSchema.parse(JSON.parse(lines[0] ?? '{}'))['startSeconds'] ?? 0;
  return { ...measured, last, startSeconds, serverCpuSeconds: processCpuSeconds(gateway.pid) - before };
}

async function peerRun(
  { log, workspace }: BenchContext,
  prepared: PreparedStage,
  gateway: Gateway,
  rclone: Awaited<ReturnType<typeof rcloneClient>>,
): Promise<Run> {
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

async function places(gateway: Gateway): Promise<Place[]> {
  const directories = join(dirname(gateway.root), 'racks');
  const emptied = (root: string) => async (): Promise<void> => {
    for (const name of rackNames) {
      await rm(join(root, name), { recursive: true, force: true });
      await mkdir(join(root, name), { recursive: true });
    }
  };
  const [s3, posix] = [emptied(gateway.root), emptied(directories)];
  await Promise.all([s3(), posix()]);
  const credentials = { AWS_ACCESS_KEY_ID: gateway.accessKeyId, AWS_SECRET_ACCESS_KEY: gateway.secretAccessKey, AWS_REGION: gateway.region };
  return [
    { kind: 's3', url: gateway.endpoint, environment: { ...cleanEnvironment(), ...credentials }, clear: s3 },
    { kind: 'posix', url: `file://${directories}`, environment: cleanEnvironment(), clear: posix },
  ];
}
