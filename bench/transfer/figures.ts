/** From runs to rows: medians, each peer beside ours, the goals on the best peer of the case. */
import { median, PEAK_RSS_GOAL, type Row, row } from '../harness/rows.ts';
import { caseName, type Operation, type Stage } from './cases.ts';
import { cpuGoal, throughputGoal } from './goals.ts';
import { isSmall, totalBytes, type Workload } from './workload.ts';

export interface Run {
  readonly client: string;
  readonly wallSeconds: number;
  readonly cpuSeconds: number;
  readonly peakRssBytes: number;
  /** Of all gateways together. */
  readonly serverCpuSeconds: number;
  /** Of everything else on the machine meanwhile: the less, the more the figures are worth. */
  readonly othersCpuSeconds: number;
  /** Of our process until modules are loaded and stores open; the peers' is not told apart. */
  readonly startSeconds: number;
  readonly startCpuSeconds: number;
}

export const OURS = 'ours';
/** A peer whose command is followed by a sync; it only informs. */
export const SYNCED = '+sync';

interface Metric {
  readonly name: string;
  readonly unit: string;
  readonly of: (run: Run) => number;
}

export function rowsOf(stage: Stage, operation: Operation, runs: readonly Run[]): Row[] {
  const [rate, clientCpu, ...informing] = metricsOf(stage.workload);
  const value = (client: string, metric: Metric): number | undefined => {
    const values = runs.filter((run) => run.client === client).map(metric.of);
    return values.length > 0 ? median(values) : undefined;
  };
  const peers = fastestFirst(runs, (client) => value(client, rate) ?? 0);
  const base = (metric: Metric) => ({ case: caseName(stage, operation), metric: metric.name, unit: metric.unit });
  const compare = (metric: Metric, peerName: string | undefined): Parameters<typeof row>[0] => ({
    ...base(metric),
    ...optional('ours', value(OURS, metric)),
    ...(peerName === undefined ? {} : { peerName, ...optional('peer', value(peerName, metric)) }),
  });
  const judged = (metric: Metric, goal: ReturnType<typeof cpuGoal>): Row[] => {
    const whole = compare(metric, peers[0]);
    const ours = runs.filter(({ client }) => client === OURS).map((run) => metric.of(started(run)));
    const afterStart = ours.length > 0 ? { ...whole, ours: median(ours), metric: `${metric.name}, ours started` } : undefined;
    const goalHere = peers.length > 0 && goal ? { goal } : {};
    return [
      row({ ...whole, ...(stage.judgedWithStart ? goalHere : {}) }),
      ...(afterStart ? [row({ ...afterStart, ...(stage.judgedWithStart ? {} : goalHere) })] : []),
      ...peers.slice(1).map((peer) => row(compare(metric, peer))),
    ];
  };
  return [
    ...judged(rate, throughputGoal(stage, operation)),
    ...judged(clientCpu, cpuGoal(stage, operation)),
    ...informing.map((metric) => row(compare(metric, peers[0]))),
    ...memoryRows(stage, operation, runs, peers),
  ];
}

function metricsOf(workload: Workload): readonly [rate: Metric, clientCpu: Metric, ...informing: Metric[]] {
  const cpu = isSmall(workload)
    ? { unit: 'ms/object', per: (seconds: number) => (seconds * 1000) / workload.files }
    : { unit: 's/GB', per: (seconds: number) => seconds / (totalBytes(workload) / 1e9) };
  return [
    isSmall(workload)
      ? { name: 'object rate', unit: 'objects/s', of: (run) => workload.files / run.wallSeconds }
      : { name: 'throughput', unit: 'MB/s', of: (run) => totalBytes(workload) / 1e6 / run.wallSeconds },
    { name: 'client CPU', unit: cpu.unit, of: (run) => cpu.per(run.cpuSeconds) },
    { name: 'server CPU', unit: cpu.unit, of: (run) => cpu.per(run.serverCpuSeconds) },
    { name: 'client busy', unit: 'cores', of: (run) => run.cpuSeconds / run.wallSeconds },
    { name: 'server busy', unit: 'cores', of: (run) => run.serverCpuSeconds / run.wallSeconds },
    { name: 'others busy', unit: 'cores', of: (run) => run.othersCpuSeconds / run.wallSeconds },
  ];
}

const started = (run: Run): Run => ({
  ...run,
  wallSeconds: run.wallSeconds - run.startSeconds,
  cpuSeconds: run.cpuSeconds - run.startCpuSeconds,
});

/** Those with a sync come last: the goal is held to the plain command. */
function fastestFirst(runs: readonly Run[], rate: (client: string) => number): string[] {
  const names = [...new Set(runs.map(({ client }) => client))].filter((client) => client !== OURS).toSorted((a, b) => rate(b) - rate(a));
  return [...names.filter((name) => !name.endsWith(SYNCED)), ...names.filter((name) => name.endsWith(SYNCED))];
}

/** The largest of all runs, not their median: the goal is a ceiling. */
function memoryRows(stage: Stage, operation: Operation, runs: readonly Run[], peers: readonly string[]): Row[] {
  const peak = (client: string): number | undefined => {
    const peaks = runs.filter((run) => run.client === client).map(({ peakRssBytes }) => peakRssBytes / 1e6);
    return peaks.length > 0 ? Math.max(...peaks) : undefined;
  };
  const base = { case: caseName(stage, operation), metric: 'peak RSS', unit: 'MB' };
  const ours = optional('ours', peak(OURS));
  const peerRows = peers.filter((peer) => !peer.endsWith(SYNCED)).map((peerName) => row({ ...base, ...ours, peerName, ...optional('peer', peak(peerName)) }));
  return ours.ours === undefined ? peerRows : [row({ ...base, ...ours, goal: PEAK_RSS_GOAL }), ...peerRows];
}

/** An absent key, not an undefined value. */
function optional<Key extends string, Value>(key: Key, value: Value | undefined): { [name in Key]?: Value } {
  const result: { [name in Key]?: Value } = {};
  if (value !== undefined) result[key] = value;
  return result;
}
