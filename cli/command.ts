/** How a command is declared: what it does in a line, an example, and work that answers data. */
import type { Command } from 'commander';
import type { Exit } from './exit-codes.ts';
import type { Answer } from './output/render.ts';
import type { Session } from './session.ts';

export interface CommandAnswer extends Answer {
  /** `ok` where absent. */
  readonly exit?: Exit;
  /** Its rows are on stdout already. */
  readonly isWritten?: true;
}

/** Runs a command's work and writes its answer; tests and the reference give other ones. */
export type Run = (command: Command, work: (session: Session) => Promise<CommandAnswer>) => Promise<void>;

const examplesOf = new WeakMap<Command, readonly string[]>();

export function addCommand(parent: Command, name: string, about: { summary: string; details?: string; examples: readonly string[] }): Command {
  const command = parent
    .command(name)
    .summary(about.summary)
    .description(about.details ? `${about.summary}. ${about.details}.` : `${about.summary}.`);
  examplesOf.set(command, about.examples);
  const title = about.examples.length === 1 ? 'Example' : 'Examples';
  return command.addHelpText('after', `\n${title}:\n${about.examples.map((example) => `  $ ${example}`).join('\n')}`);
}

export function addGroup(parent: Command, name: string, summary: string): Command {
  return parent.command(name).summary(summary).description(`${summary}.`);
}

export const commandExamples = (command: Command): readonly string[] => examplesOf.get(command) ?? [];
