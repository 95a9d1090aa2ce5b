/** A real process, killed with SIGKILL while it writes to a ring in a file and to a rack's directory. */
import { join } from 'node:path';
import type { CheckpointPlaces } from '../../support/checkpoint-places.ts';
import { runWriter } from '../harness/written-lines.ts';
import type { Files } from './files.ts';
import type { CheckpointPlan } from './plan.ts';
import type { Ledger } from './verify.ts';

const WRITER = join(import.meta.dirname, 'writer-process.ts');

/** Killed once it has acknowledged as many chunks as the plan says; what it could still say until it was dead counts too. */
export async function killWriter({ base }: CheckpointPlaces, { seed, at }: CheckpointPlan, _files: Files, ledger: Ledger): Promise<string> {
  await runWriter(WRITER, [base, String(seed)], (line) => {
    if (line.kind === 'chunk') ledger.chunks.push(line);
    else ledger.commit = line.kind === 'begun' ? 'begun' : 'acknowledged';
    return ledger.chunks.length >= at;
  });
  return ledger.commit === 'acknowledged' ? 'committed' : 'killed';
}
