/** `npm run bench -- manifest`: the listing of a very large data set becomes a manifest in a store and is read back, in bounded memory. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { nodeCommand } from '../../dev/site/node-process.ts';
import type { Bench, BenchContext, BenchOutcome } from '../harness/bench.ts';
import { credentialsOf, describeFlags, startGateway } from '../harness/gateway.ts';
import { type Measured, measure } from '../harness/measure.ts';
import { PEAK_RSS_GOAL, type Row, row } from '../harness/rows.ts';

export const manifestBench: Bench = {
  name: 'manifest',
  summary: 'a manifest of ten million entries, written and read back',
  takes: { full: '5 minutes', quick: '15 s' },
  tools: ['versitygw'],
  run: runManifest,
};

const ENTRIES = { full: 10_000_000, quick: 300_000 };

async function runManifest({ options, workspace, log }: BenchContext): Promise<BenchOutcome> {
  const entries = options.quick ? ENTRIES.quick : ENTRIES.full;
  const root = await workspace.directory('/dev/shm');
  const [tree, logs] = [join(root, 'tree'), join(root, 'logs')];
  await mkdir(join(tree, 'bench'), { recursive: true });
  await mkdir(logs);
  const gateway = await startGateway(workspace, { name: 'gateway', root: tree, logs });
  const rows: Row[] = [];
  let input = String(entries);
  for (const phase of ['write', 'read'] as const) {
    const environment = { ...process.env, AWS_ENDPOINT_URL: gateway.endpoint, ...credentialsOf(gateway) };
    const measured = await measure(workspace, { ...nodeCommand('bench/manifest/ours.ts', [phase, input]), environment });
    log(`${phase}: ${entries} entries in ${measured.wallSeconds.toFixed(1)} s, peak RSS ${(measured.peakRssBytes / 1e6).toFixed(0)} MB`);
    input = measured.stdout;
    if (options.cases?.test(phase) ?? true) rows.push(...rowsOf(phase, entries, measured));
  }
  await gateway.stop();
  return { rows, facts: [['gateway, over memory', `versitygw ${describeFlags()}`]] };
}

function rowsOf(phase: string, entries: number, { wallSeconds, cpuSeconds, peakRssBytes }: Measured): Row[] {
  const name = `${phase}/${entries}`;
  return [
    row({ case: name, metric: 'rate', unit: 'entries/s', ours: entries / wallSeconds }),
    row({ case: name, metric: 'client CPU', unit: 'us/entry', ours: (cpuSeconds * 1e6) / entries }),
    row({ case: name, metric: 'peak RSS', unit: 'MB', ours: peakRssBytes / 1e6, goal: PEAK_RSS_GOAL }),
  ];
}
