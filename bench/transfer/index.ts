/** `npm run bench -- transfer`: our engine and the best of the open movers over the same gateway, one process each, in turns. */
import { z } from 'zod';
import type { Bench, BenchContext, BenchOutcome, Fact } from '../harness/bench.ts';
import { describeFlags, type Gateway } from '../harness/gateway.ts';
import { machineCpuSeconds, processCpuSeconds } from '../harness/machine.ts';
import { measure } from '../harness/measure.ts';
import type { Row } from '../harness/rows.ts';
import { allStages, caseName, fullStages, type Operation, quickStages, type Stage } from './cases.ts';
import { type Client, needsSyncedPeer, type Task, thenSync } from './client.ts';
import { OURS, type Run, rowsOf, SYNCED } from './figures.ts';
import { oursClient } from './ours-client.ts';
import { rcloneClient } from './rclone.ts';
import { s5cmdClient } from './s5cmd.ts';
import { type PreparedStage, prepareStage } from './stage.ts';
import { totalBytes } from './workload.ts';

export const transferBench: Bench = {
  name: 'transfer',
  summary: 'up, down, copies by the server and between endpoints, against rclone and s5cmd',
  takes: { full: '80 minutes', quick: '45 s' },
  tools: ['versitygw', 'rclone', 's5cmd'],
  run: runTransfer,
};

const startSchema = z.object({ startSeconds: z.number(), startCpuSeconds: z.number() });

async function runTransfer(context: BenchContext): Promise<BenchOutcome> {
  const { options } = context;
  const clients = [oursClient(), await rcloneClient(), await s5cmdClient()].filter(({ name }) => options.only.length === 0 || options.only.includes(name));
  // What ours uploads carries checksums, as it would in service; the gateway keeps them and the peers do not mind.
  const seeder = clients.find(({ name }) => name === OURS) ?? clients.find(({ name }) => name === 's5cmd') ?? clients[0];
  if (!seeder) throw new Error(`--only ${options.only.join(',')}: the clients are ours, rclone and s5cmd`);
  const rows: Row[] = [];
  const facts: Fact[] = [
    ['gateway', `versitygw ${describeFlags()}`],
    ['content of the gateway', `uploaded by ${seeder.name}`],
  ];
  const flags = new Map<string, string[]>();
  for (const stage of chooseStages(context)) {
    const prepared = await prepareStage(context.workspace, stage, seeder);
    try {
      for (const operation of stage.operations) {
        const runs = await runCase(context, stage, prepared, operation, clients);
        rows.push(...rowsOf(stage, operation, runs));
        await context.keep(rows);
        for (const client of clients) noteFlags(flags, client.name, client.flags(operation, stage.workload).join(' '), caseName(stage, operation));
      }
    } finally {
      await prepared.end();
    }
  }
  return { rows, facts: [...facts, ...[...flags].map(([line, cases]): Fact => [line, cases.join(', ')])] };
}

/** Cases by client and flags: most share theirs. */
function noteFlags(cases: Map<string, string[]>, client: string, flags: string, name: string): void {
  const key = `${client} ${flags}`;
  cases.set(key, [...(cases.get(key) ?? []), name]);
}

function chooseStages({ options }: BenchContext): Stage[] {
  const stages = (options.quick ? quickStages : options.cases ? allStages : fullStages).map((stage) => ({
    ...stage,
    runs: options.runs ?? stage.runs,
    operations: stage.operations.filter((operation) => options.cases?.test(caseName(stage, operation)) ?? true),
  }));
  return stages.filter(({ operations }) => operations.length > 0);
}

/** In turns, so that whatever else the machine does meets everyone; each turn begins with another client, for the first one pays for what the one before left. */
async function runCase(context: BenchContext, stage: Stage, prepared: PreparedStage, operation: Operation, clients: readonly Client[]): Promise<Run[]> {
  const runs: Run[] = [];
  for (let turn = 1; turn <= stage.runs; turn += 1) {
    for (const client of startingWith(clients, turn - 1)) {
      for (const synced of needsSyncedPeer(operation, stage.storage) && client.name !== OURS ? [false, true] : [false]) {
        const run = await runOnce(context, prepared, operation, client, synced);
        if (!run) continue;
        runs.push(run);
        const rate = `${(totalBytes(stage.workload) / 1e6 / run.wallSeconds).toFixed(0)} MB/s, ${(stage.workload.files / run.wallSeconds).toFixed(0)} objects/s`;
        context.log(
          `${caseName(stage, operation)} ${turn}/${stage.runs} ${run.client}: ${run.wallSeconds.toFixed(2)} s, ${rate}, CPU ${run.cpuSeconds.toFixed(2)} s`,
        );
      }
    }
  }
  return runs;
}

const startingWith = <T>(all: readonly T[], index: number): readonly T[] => all.map((_, offset) => all[(index + offset) % all.length] as T);

async function runOnce({ workspace }: BenchContext, prepared: PreparedStage, operation: Operation, client: Client, synced: boolean): Promise<Run | undefined> {
  const task = await prepared.task(operation);
  const command = client.command(task);
  try {
    if (!command) return undefined;
    await prepared.settle();
    const [machineBefore, serverBefore] = [machineCpuSeconds(), gatewayCpuSeconds(prepared.gateways)];
    const { stdout, ...measured } = await measure(workspace, synced ? thenSync(command, directoryOf(task)) : command);
    const serverCpuSeconds = gatewayCpuSeconds(prepared.gateways) - serverBefore;
    const othersCpuSeconds = Math.max(0, machineCpuSeconds() - machineBefore - serverCpuSeconds - measured.cpuSeconds);
    await prepared.check(task);
    const start = client.name === OURS ? startSchema.parse(JSON.parse(stdout)) : { startSeconds: 0, startCpuSeconds: 0 };
    return { ...measured, ...start, client: synced ? client.name + SYNCED : client.name, serverCpuSeconds, othersCpuSeconds };
  } finally {
    await prepared.clear(task);
  }
}

function directoryOf({ target }: Task): string {
  if (target.kind !== 'directory') throw new Error('only a directory is synced');
  return target.path;
}

const gatewayCpuSeconds = (gateways: readonly Gateway[]): number => gateways.reduce((sum, { pid }) => sum + processCpuSeconds(pid), 0);
