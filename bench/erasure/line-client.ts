/** A program that answers each line with one: it stays warm, so that short measurements of several can take turns. */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Command } from '../../dev/site/child.ts';
import type { Workspace } from '../harness/workspace.ts';

export interface LineClient {
  ask(line: string): Promise<string>;
  stop(): Promise<void>;
}

export function startLineClient(workspace: Workspace, command: Command): LineClient {
  const child = spawn(command.file, command.arguments, { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('exit', (code, signal) => resolve(`it ended with ${signal ?? code}`));
  });
  child.stdin.on('error', () => undefined); // told by its end
  const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const stop = async (): Promise<void> => {
    forget();
    child.kill();
    await ended;
  };
  const forget = workspace.onLeave(stop);
  return {
    stop,
    async ask(line) {
      child.stdin.write(`${line}\n`);
      const answer = await answers.next();
      if (answer.done) throw new Error(`${command.file} ${command.arguments.join(' ')} did not answer: ${await ended}`);
      return answer.value;
    },
  };
}
