/**
 * The kernels alone, encoding, beside the same ISA-L called from C and klauspost/reedsolomon. All take turns in short runs, so that a slow moment of the machine
 * meets them alike; the figures are medians. One thread is judged by its own processor time, which is the time that passes unless others want the processor too; two
 * threads can only be judged by the time that passes, so on a busy machine they are judged wrongly.
 */
import type { KernelName } from '../../datapath/erasure/kernel/kernel.ts';
import { nodeCommand } from '../../dev/site/node-process.ts';
import { resolveIsal } from '../../dev/toolchain/libisal.ts';
import type { Bench, BenchContext, BenchOutcome } from '../harness/bench.ts';
import { type Goal, median, type Row, row } from '../harness/rows.ts';
import { buildIsalProgram, buildKlauspostProgram, klauspostVersion } from './kernel-peers.ts';
import { type LineClient, startLineClient } from './line-client.ts';

export const kernelPart: Pick<Bench, 'tools' | 'run'> = { tools: [], run: runKernels };

const SIZES = { '64K': 65_536, '256K': 262_144, '1M': 1_048_576 } as const;
type Size = keyof typeof SIZES;
const RUN_MILLISECONDS = { full: 250, quick: 60 };
const RUNS = { full: 9, quick: 3 };
/** Of large objects; the others where `--case` names them. */
const QUICK_SIZES: readonly Size[] = ['1M'];

const PER_THREAD: Goal = { comparison: '>=', limit: 0.95 };
const TWO_THREADS: Goal = { comparison: '>=', limit: 1.6 };
const WASM: Goal = { comparison: '>=', limit: 0.35 };
const WITH_CHECKSUMS: Goal = { comparison: '>=', limit: 0.7 };

/** What is measured; the rows compare them. */
type Subject = `${KernelName}${'' | '+crc'}` | 'c' | 'go';
interface Measurement {
  readonly subject: Subject;
  readonly threads: 1 | 2;
}

const measurements: readonly Measurement[] = [
  ...(['isal', 'c', 'go', 'wasm-relaxed'] as const).flatMap((subject) => ([1, 2] as const).map((threads) => ({ subject, threads }))),
  { subject: 'isal+crc', threads: 1 },
  { subject: 'wasm-relaxed+crc', threads: 1 },
  { subject: 'wasm-simd', threads: 1 },
];

interface Comparison {
  readonly ours: Measurement;
  readonly metric: string;
  readonly peer: Measurement;
  readonly peerName: string;
  readonly goal?: Goal;
}
const IN_C = 'ISA-L in C';
const KLAUSPOST = 'klauspost';
const ONE_THREAD = 'one thread';
const ALONE = 'coding alone';
const of = (subject: Subject, threads: 1 | 2 = 1): Measurement => ({ subject, threads });

const comparisons: readonly Comparison[] = [
  { ours: of('isal'), metric: 'ISA-L', peer: of('c'), peerName: IN_C, goal: PER_THREAD },
  { ours: of('isal'), metric: 'ISA-L', peer: of('go'), peerName: KLAUSPOST },
  { ours: of('isal+crc'), metric: 'ISA-L with 18 CRC32C', peer: of('isal'), peerName: ALONE, goal: WITH_CHECKSUMS },
  { ours: of('wasm-relaxed'), metric: 'WebAssembly, relaxed', peer: of('c'), peerName: IN_C, goal: WASM },
  { ours: of('wasm-relaxed+crc'), metric: 'the same with 18 CRC32C', peer: of('wasm-relaxed'), peerName: ALONE },
  { ours: of('wasm-simd'), metric: 'WebAssembly, plain', peer: of('c'), peerName: IN_C },
  { ours: of('isal', 2), metric: 'ISA-L', peer: of('isal'), peerName: ONE_THREAD, goal: TWO_THREADS },
  { ours: of('isal', 2), metric: 'ISA-L', peer: of('c', 2), peerName: IN_C },
  { ours: of('isal', 2), metric: 'ISA-L', peer: of('go', 2), peerName: KLAUSPOST },
  { ours: of('wasm-relaxed', 2), metric: 'WebAssembly, relaxed', peer: of('wasm-relaxed'), peerName: ONE_THREAD },
];

/** Bytes of data. */
interface Rates {
  readonly perSecond: number;
  readonly perCpuSecond: number;
}

const caseOf = (size: Size, { threads }: Measurement): string => `encode/${size}/${threads} thread${threads === 1 ? '' : 's'}`;
const keyOf = ({ subject, threads }: Measurement): string => `${subject}/${threads}`;

async function runKernels({ options, workspace, log }: BenchContext): Promise<BenchOutcome> {
  const isWanted = (size: Size, measurement: Measurement): boolean =>
    options.cases?.test(caseOf(size, measurement)) ?? (!options.quick || QUICK_SIZES.includes(size));
  const sizes = (['64K', '256K', '1M'] as const).filter((size) => measurements.some((each) => isWanted(size, each)));
  if (sizes.length === 0) return { rows: [], facts: [] };
  const { path } = await resolveIsal(log);
  const clients: Clients = {
    ours: startLineClient(workspace, nodeCommand('bench/erasure/kernel-client.ts', [])),
    c: startLineClient(workspace, { file: await buildIsalProgram(log), arguments: [path] }),
    go: startLineClient(workspace, { file: await buildKlauspostProgram(log), arguments: [] }),
  };
  const mode = options.quick ? 'quick' : 'full';
  const rows: Row[] = [];
  for (const size of sizes) {
    log(`encoding, cells of ${size} ...`);
    const rates = await measureAll(clients, SIZES[size], RUN_MILLISECONDS[mode], options.runs ?? RUNS[mode]);
    rows.push(...comparisons.filter(({ ours }) => isWanted(size, ours)).map((comparison) => compare(size, comparison, rates)));
  }
  for (const client of Object.values(clients)) await client.stop();
  return {
    rows,
    facts: [
      ['ISA-L', path],
      ['klauspost/reedsolomon', `${await klauspostVersion()}, Cauchy matrix, an encoder without goroutines on each thread`],
    ],
  };
}

interface Clients {
  readonly ours: LineClient;
  readonly c: LineClient;
  readonly go: LineClient;
}

/** @returns the medians of each */
async function measureAll(clients: Clients, cellBytes: number, milliseconds: number, runs: number): Promise<ReadonlyMap<string, Rates>> {
  const rates = new Map<string, Rates[]>(measurements.map((measurement) => [keyOf(measurement), []]));
  // The first round warms up: memory is touched, and hot loops are compiled.
  for (let round = 0; round <= runs; round++) {
    // Nobody is always first: whoever is meets memory and caches as the others left them.
    const first = round % measurements.length;
    for (const measurement of [...measurements.slice(first), ...measurements.slice(0, first)]) {
      const [perSecond = Number.NaN, perCpuSecond = Number.NaN] = (await ask(clients, measurement, cellBytes, milliseconds)).split(' ').map(Number);
      if (round > 0) rates.get(keyOf(measurement))?.push({ perSecond, perCpuSecond });
    }
  }
  const middle = (each: readonly Rates[], rate: keyof Rates): number => median(each.map((rates) => rates[rate]));
  return new Map([...rates].map(([key, each]) => [key, { perSecond: middle(each, 'perSecond'), perCpuSecond: middle(each, 'perCpuSecond') }]));
}

function ask({ ours, c, go }: Clients, { subject, threads }: Measurement, cellBytes: number, milliseconds: number): Promise<string> {
  const run = `${cellBytes} ${threads} ${milliseconds}`;
  if (subject === 'c') return c.ask(run);
  if (subject === 'go') return go.ask(run);
  const [kernel, checksums] = subject.split('+');
  return ours.ask(`${kernel} ${checksums ? 1 : 0} ${run}`);
}

function compare(size: Size, { ours, metric, peer, peerName, goal }: Comparison, rates: ReadonlyMap<string, Rates>): Row {
  const rate = ours.threads === 1 ? 'perCpuSecond' : 'perSecond';
  const gigabytes = (measurement: Measurement): number => (rates.get(keyOf(measurement))?.[rate] ?? Number.NaN) / 1e9;
  const unit = ours.threads === 1 ? 'GB/CPU s' : 'GB/s';
  return row({ case: caseOf(size, ours), metric, unit, ours: gigabytes(ours), peer: gigabytes(peer), peerName, ...(goal ? { goal } : {}) });
}
