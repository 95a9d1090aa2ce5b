/** An emulator as a process of its own: `node MAIN --config FILE.json`; says "ready URL" on standard output when it listens. */
import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import type * as z from 'zod';
import { formatIssues, parseInput } from '../model/issues.ts';

export interface Emulator<Schema extends z.ZodType> {
  /** Below dev/. */
  readonly folder: string;
  /** Of its configuration: one JSON file, every field checked. */
  readonly schema: Schema;
  /** Fields whose values no message repeats. */
  readonly secrets: RegExp;
  start(config: z.output<Schema>): Promise<{ readonly url: string; close(): Promise<void> }>;
}

export async function runEmulator<Schema extends z.ZodType>({ folder, schema, secrets, start }: Emulator<Schema>): Promise<void> {
  const { values } = parseArgs({ options: { config: { type: 'string' } } });
  if (values.config === undefined) {
    console.error(`usage: node dev/${folder}/main.ts --config FILE.json`);
    process.exit(2);
  }
  const parsed = parseInput(schema, JSON.parse(await readFile(values.config, 'utf8')));
  if (!parsed.ok) {
    const issues = parsed.issues.map((issue) => (secrets.test(issue.path) ? { ...issue, found: 'a secret' } : issue));
    throw new Error(`${values.config}: ${formatIssues(issues)}`);
  }
  const emulator = await start(parsed.value);
  console.log(`ready ${emulator.url}`);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void emulator.close().then(() => process.exit(0)));
}
