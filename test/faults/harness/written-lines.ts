/** What a writer in a process of its own says on standard output, a line each; until it is killed. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import * as z from 'zod';

const WrittenLineSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('chunk'), path: z.string(), offset: z.int(), bytes: z.int(), sha256: z.string() }),
  z.strictObject({ kind: z.literal('begun') }),
  z.strictObject({ kind: z.literal('committed') }),
]);
export type WrittenLine = z.output<typeof WrittenLineSchema>;

/** In one call, so that a line is said whole or not at all. */
export const sayLine = (line: WrittenLine): void => void writeSync(1, `${JSON.stringify(line)}\n`);

/**
 * Settles when the process is gone; what it could still say before it died is heard.
 * @param onLine answers true where it is to be killed now. @throws where it ended by itself and not well
 */
export async function runWriter(script: string, parameters: readonly string[], onLine: (line: WrittenLine) => boolean): Promise<void> {
  const child = spawn(process.execPath, [script, ...parameters], { stdio: ['ignore', 'pipe', 'inherit'] });
  const listen = async (): Promise<void> => {
    for await (const text of createInterface({ input: child.stdout })) {
      if (onLine(WrittenLineSchema.parse(JSON.parse(text)))) child.kill('SIGKILL');
    }
  };
  const [[code, signal]] = await Promise.all([once(child, 'exit'), listen()]);
  assert.ok(code === 0 || signal === 'SIGKILL', `the writer ended with ${signal ?? `exit code ${code}`}; what it said is above`);
}
