/** A real process, killed with SIGKILL while it writes to a ring in a file and to a rack's directory. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import * as z from 'zod';
import type { CheckpointPlaces } from '../../support/checkpoint-places.ts';
import type { CheckpointPlan } from './plan.ts';
import type { Ledger } from './verify.ts';

/** A line of the process's standard output. */
export const LineSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('chunk'), path: z.string(), offset: z.int(), bytes: z.int(), sha256: z.string() }),
  z.strictObject({ kind: z.literal('begun') }),
  z.strictObject({ kind: z.literal('committed') }),
]);
export type Line = z.output<typeof LineSchema>;

/** Killed once it has acknowledged as many chunks as the plan says; what it could still say until it was dead counts too. */
export async function killWriter({ base }: CheckpointPlaces, plan: CheckpointPlan, ledger: Ledger): Promise<string> {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'writer-process.ts'), base, String(plan.seed)], { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = once(child, 'exit');
  for await (const text of createInterface({ input: child.stdout })) {
    const line = LineSchema.parse(JSON.parse(text));
    if (line.kind === 'chunk') ledger.chunks.push(line);
    else ledger.commit = line.kind === 'begun' ? 'begun' : 'acknowledged';
    if (ledger.chunks.length >= plan.at) child.kill('SIGKILL');
  }
  await exited;
  return ledger.commit === 'acknowledged' ? 'committed' : 'killed';
}
