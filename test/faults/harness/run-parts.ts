/** Runs a suite in processes of its own, side by side. As root each has mounts of its own, which end with it, however it ends. */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import * as z from 'zod';
import { inOrder, secondsSince } from './run-suite.ts';
import { type FaultFailure, FaultFailureSchema, type FaultReport, type FaultSuite } from './suite.ts';

/** A line of a part's standard output. The ends come last. */
const PartLineSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('failure'), failure: FaultFailureSchema }),
  z.strictObject({ kind: z.literal('ends'), ends: z.record(z.string(), z.number()) }),
]);
export type PartLine = z.output<typeof PartLineSchema>;

export interface RunParts {
  readonly seed: number;
  readonly runs: number;
  /** The first failure ends it, once the runs under way are over. */
  readonly untilFailure?: boolean;
  readonly onFailure?: (failure: FaultFailure) => void;
}

type Part = ChildProcessByStdio<null, Readable, null>;

export async function runParts(suite: Pick<FaultSuite, 'name' | 'processes'>, { seed, runs, untilFailure = false, onFailure }: RunParts): Promise<FaultReport> {
  const began = performance.now();
  const ends = new Map<string, number>();
  const failures: FaultFailure[] = [];
  const count = Math.min(suite.processes, runs);
  const parts = Array.from({ length: count }, (_, index) => startPart(suite.name, seed + index, runs - index, count));
  let isCalledOff = false;
  const endAll = (): void => {
    isCalledOff = true;
    for (const part of parts) part.kill('SIGTERM');
  };
  await Promise.all(
    parts.map((part) =>
      follow(part, (line) => {
        if (line.kind === 'ends') for (const [end, times] of Object.entries(line.ends)) ends.set(end, (ends.get(end) ?? 0) + times);
        else {
          failures.push(line.failure);
          onFailure?.(line.failure);
          if (untilFailure) endAll();
        }
      }).then((how) => {
        // One that is still starting when it is called off has nothing to say.
        if (how !== undefined && !isCalledOff)
          throw new Error(`a process of the suite ${suite.name} ended before its runs did (${how}); what it said is above`);
      }),
    ),
  );
  failures.sort((a, b) => a.seed - b.seed);
  return { suite: suite.name, seed, runs, seconds: secondsSince(began), ends: inOrder(ends), failures };
}

/** A run leaves tens of megabytes of garbage, none of it old: with Node's own 16 MiB a fifth of the time is spent on collecting it. */
const YOUNG_MEBIBYTES = 64;

function startPart(name: string, seed: number, runs: number, every: number): Part {
  const command = [
    process.execPath,
    `--max-semi-space-size=${YOUNG_MEBIBYTES}`,
    join(import.meta.dirname, 'part.ts'),
    name,
    String(seed),
    String(runs),
    String(every),
  ];
  const [file = '', ...parameters] = process.getuid?.() === 0 ? ['unshare', '--mount', '--', ...command] : command;
  return spawn(file, parameters, { stdio: ['ignore', 'pipe', 'inherit'] });
}

/** @returns undefined where its runs came to their end, else how it ended */
async function follow(part: Part, onLine: (line: PartLine) => void): Promise<string | undefined> {
  let hasEnded = false;
  const listen = async (): Promise<void> => {
    for await (const text of createInterface({ input: part.stdout })) {
      const line = PartLineSchema.parse(JSON.parse(text));
      hasEnded ||= line.kind === 'ends';
      onLine(line);
    }
  };
  const [[code, signal]] = await Promise.all([once(part, 'close'), listen()]);
  return hasEnded ? undefined : (signal ?? `exit code ${code}`);
}
