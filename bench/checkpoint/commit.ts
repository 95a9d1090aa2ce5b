/** The 2-of-2 commit beside fio, which writes the same bytes to two files with the same flags and as many writes under way. In turns, on one disk. */
import { mkdir, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { nodeCommand } from '../../dev/site/node-process.ts';
import { resolveTool } from '../../dev/toolchain/resolve-tool.ts';
import type { BenchContext, BenchOutcome } from '../harness/bench.ts';
import { measure } from '../harness/measure.ts';
import { type Goal, median, PEAK_RSS_GOAL, type Row, row } from '../harness/rows.ts';

const DEPTHS = [2, 8];
const VOLUMES = { full: { bytes: 2 ** 31, runs: 7 }, quick: { bytes: 2 ** 29, runs: 3 } };
const CHUNK_BYTES = 4 * 2 ** 20;
const RATE_GOAL: Goal = { comparison: '>=', limit: 0.9 };
/** A thread for each write under way, of both stores. */
const THREADS_PER_CHUNK = 2;

const FIO_FLAGS = ['--rw=write', '--bs=4M', '--direct=1', '--sync=dsync', '--ioengine=libaio', '--group_reporting', '--output-format=json'];

interface Run {
  /** Of both copies together. */
  readonly bytesPerSecond: number;
  readonly p50Milliseconds: number;
  readonly p99Milliseconds: number;
  readonly cpuSeconds: number;
  readonly peakRssBytes: number;
}

export async function benchCommit({ options, workspace, log }: BenchContext): Promise<BenchOutcome> {
  const volume = options.quick ? VOLUMES.quick : VOLUMES.full;
  const runs = options.runs ?? volume.runs;
  const root = await workspace.directory(resolve('.penstock'));
  const fio = (await resolveTool('fio')).path;
  const rows: Row[] = [];
  for (const depth of DEPTHS) {
    const name = `commit/${volume.bytes / 2 ** 20}MiB/depth ${depth}`;
    if (!(options.cases?.test(name) ?? true)) continue;
    const ours: Run[] = [];
    const theirs: Run[] = [];
    const writers = [
      { name: 'ours', into: ours, run: (directory: string) => runOurs({ workspace }, directory, volume.bytes, depth) },
      { name: 'fio', into: theirs, run: (directory: string) => runFio({ workspace }, fio, directory, volume.bytes, depth) },
    ];
    for (let turn = 1; turn <= runs; turn += 1) {
      // Who begins changes, for the first one pays for what the one before left.
      for (const { name: client, into, run } of turn % 2 === 0 ? writers.toReversed() : writers) {
        const directory = join(root, client);
        await mkdir(directory);
        const done = await run(directory);
        into.push(done);
        await rm(directory, { recursive: true });
        log(`${name} ${turn}/${runs} ${client}: ${(done.bytesPerSecond / 1e6).toFixed(0)} MB/s, P99 ${done.p99Milliseconds.toFixed(1)} ms`);
      }
    }
    rows.push(...rowsOf(name, ours, theirs));
  }
  return {
    rows,
    facts: [
      ['fio', `${FIO_FLAGS.join(' ')} --iodepth=DEPTH, a job for each of two files`],
      ['per chunk', 'ours: until the slower of both stores has it; fio: of each write by itself'],
    ],
  };
}

const oursSchema = z.object({ seconds: z.number(), milliseconds: z.array(z.number()) });

async function runOurs({ workspace }: Pick<BenchContext, 'workspace'>, directory: string, bytes: number, depth: number): Promise<Run> {
  const environment = { ...process.env, UV_THREADPOOL_SIZE: String(THREADS_PER_CHUNK * depth) };
  const measured = await measure(workspace, { ...nodeCommand('bench/checkpoint/commit-ours.ts', [directory, String(bytes), String(depth)]), environment });
  const { seconds, milliseconds } = oursSchema.parse(JSON.parse(measured.stdout));
  if (milliseconds.length !== Math.ceil(bytes / CHUNK_BYTES)) throw new Error(`${milliseconds.length} chunks were acknowledged`);
  const sorted = milliseconds.toSorted((a, b) => a - b);
  const at = (share: number): number => sorted[Math.ceil(share * sorted.length) - 1] ?? 0;
  return { ...measured, bytesPerSecond: (2 * bytes) / seconds, p50Milliseconds: at(0.5), p99Milliseconds: at(0.99) };
}

const fioSchema = z.object({
  jobs: z.tuple([
    z.object({ write: z.object({ bw_bytes: z.number(), total_ios: z.number(), clat_ns: z.object({ percentile: z.record(z.string(), z.number()) }) }) }),
  ]),
});

async function runFio({ workspace }: Pick<BenchContext, 'workspace'>, file: string, directory: string, bytes: number, depth: number): Promise<Run> {
  const jobs = ['ring', 'rack'].flatMap((name) => [`--name=${name}`, `--filename=${join(directory, name)}`]);
  const measured = await measure(workspace, { file, arguments: [...FIO_FLAGS, `--size=${bytes}`, `--iodepth=${depth}`, ...jobs] });
  const [{ write }] = fioSchema.parse(JSON.parse(measured.stdout)).jobs;
  const at = (percentile: string): number => (write.clat_ns.percentile[percentile] ?? 0) / 1e6;
  return { ...measured, bytesPerSecond: write.bw_bytes, p50Milliseconds: at('50.000000'), p99Milliseconds: at('99.000000') };
}

function rowsOf(name: string, ours: readonly Run[], theirs: readonly Run[]): Row[] {
  const compared = (metric: string, unit: string, figure: (run: Run) => number, goal?: Goal): Row =>
    row({ case: name, metric, unit, ours: median(ours.map(figure)), peer: median(theirs.map(figure)), peerName: 'fio', ...(goal ? { goal } : {}) });
  return [
    compared('rate, both copies', 'MB/s', ({ bytesPerSecond }) => bytesPerSecond / 1e6, RATE_GOAL),
    compared('P50 per chunk', 'ms', ({ p50Milliseconds }) => p50Milliseconds),
    compared('P99 per chunk', 'ms', ({ p99Milliseconds }) => p99Milliseconds),
    compared('CPU', 's', ({ cpuSeconds }) => cpuSeconds),
    row({ case: name, metric: 'peak RSS', unit: 'MB', ours: median(ours.map(({ peakRssBytes }) => peakRssBytes)) / 1e6, goal: PEAK_RSS_GOAL }),
  ];
}
