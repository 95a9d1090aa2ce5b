/** Puts known bugs into a copy of the code, one after the other, and has each looked for by its suite: the tests, tested. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import * as z from 'zod';
import { FaultFailureSchema } from '../harness/suite.ts';
import { type Plant, plants } from './plants.ts';

const ROOT = join(import.meta.dirname, '../../..');
/** What the suites run on, and no more. */
const COPIED = ['activities', 'cli', 'client', 'datapath', 'dev', 'drivers', 'model', 'test', 'workers', 'workflows', 'package.json', 'temporal-dev.yaml'];
const SEEDS = 300;

const ReportSchema = z.object({ failures: z.array(FaultFailureSchema) });

export interface TryPlants {
  /** Those whose name has one of these words in it; all where there is none. */
  readonly named: readonly string[];
  readonly say: (line: string) => void;
}

/** @returns 0 where every bug was found, else 1 */
export async function tryPlants({ named, say }: TryPlants): Promise<number> {
  const wanted = plants.filter(({ name, suite }) => named.length === 0 || named.some((word) => suite === word || name.includes(word)));
  const copy = await mkdtemp(join(tmpdir(), 'penstock-planted-'));
  let survived = 0;
  try {
    for (const part of COPIED) await cp(join(ROOT, part), join(copy, part), { recursive: true });
    await symlink(join(ROOT, 'node_modules'), join(copy, 'node_modules'));
    for (const plant of wanted) {
      const found = await tryPlant(copy, plant);
      survived += found === undefined ? 1 : 0;
      say(`${found === undefined ? 'SURVIVED' : 'found   '}  ${plant.suite.padEnd(10)}  ${plant.name}${found === undefined ? '' : `\n    ${found}`}`);
    }
  } finally {
    await rm(copy, { recursive: true });
  }
  say(`${wanted.length - survived} of ${wanted.length} planted bugs were found within ${SEEDS} seeds`);
  return survived === 0 && wanted.length > 0 ? 0 : 1;
}

/** @returns the seed and what was wrong; undefined where no seed found it */
async function tryPlant(copy: string, plant: Plant): Promise<string | undefined> {
  const file = join(copy, plant.file);
  const report = join(copy, 'report.json');
  const sound = await readFile(file, 'utf8');
  await writeFile(file, planted(plant, sound));
  try {
    const { code, said } = await run(copy, ['test/faults/main.ts', plant.suite, '--seed', '1', '--runs', String(SEEDS), '--until-failure', '--json', report]);
    const written = existsSync(report) ? await readFile(report, 'utf8') : undefined;
    // A process that dies of the bug has found it too.
    if (written === undefined) return `no seed: the suite itself ended with exit code ${code}: ${/^\S*Error\b.*/m.exec(said)?.[0] ?? said.slice(-200)}`;
    const [first] = ReportSchema.parse(JSON.parse(written)).failures;
    return first && `seed ${first.seed}, ${first.plan.fault}: ${first.message.split('\n')[0] ?? ''}`;
  } finally {
    await rm(report, { force: true });
    await writeFile(file, sound);
  }
}

/** @throws where the code has changed since: the bug is to be planted where its place is now */
export function planted({ name, file, from, to }: Plant, sound: string): string {
  const found = sound.split(from).length - 1;
  if (found !== 1)
    throw new Error(`${name}: its place was found ${found} times in ${file}; once is accepted. Say in test/faults/planted/plants.ts where it is now.`);
  return sound.replace(from, () => to);
}

async function run(directory: string, parameters: readonly string[]): Promise<{ readonly code: number | null; readonly said: string }> {
  const child = spawn(process.execPath, parameters, { cwd: directory, env: { ...process.env, INIT_CWD: directory }, stdio: ['ignore', 'ignore', 'pipe'] });
  const [said, [code]] = await Promise.all([text(child.stderr), once(child, 'exit')]);
  return { code, said };
}
