/** docs/cli.md from the command tree. */
import type { Argument, Command, Option } from 'commander';
import { commandExamples } from '../command.ts';
import { exitCodes } from '../exit-codes.ts';
import { buildProgram } from '../program.ts';
import type { GeneratedFile } from './generated-file.ts';
import { code, markdownTable } from './markdown.ts';

export function cliReference(): GeneratedFile {
  const nothing = () => undefined;
  const program = buildProgram(() => Promise.resolve(), { stdout: nothing, stderr: nothing });
  const sections = [
    '# The command line',
    '<!-- Made by `npm run docs` from cli/; edit there. -->',
    program.description(),
    'Run it as `npx penstock` in the repository. The answer goes to stdout in the format that was asked for; progress and messages go to stderr. Names that came from elsewhere are printed with control characters escaped.',
    '## Exit codes',
    markdownTable(
      ['code', 'meaning'],
      Object.values(exitCodes).map(({ code: number, meaning }) => [String(number), meaning]),
    ),
    '## Options of every command',
    optionTable(program.options),
    ...leafCommands(program).map(commandSection),
  ];
  return { path: 'docs/cli.md', content: `${sections.join('\n\n')}\n` };
}

/** Those that do something, depth first, in the order of declaration; one that does so itself comes before those below it. */
export function leafCommands(command: Command): Command[] {
  return [...(commandExamples(command).length > 0 ? [command] : []), ...command.commands.flatMap(leafCommands)];
}

export function fullName(command: Command): string {
  return command.parent ? `${fullName(command.parent)} ${command.name()}` : command.name();
}

function commandSection(command: Command): string {
  return [
    `## ${fullName(command)}`,
    command.description(),
    `${'```'}\n${fullName(command)} ${command.usage()}\n${'```'}`,
    ...(command.registeredArguments.length === 0 ? [] : [argumentTable(command.registeredArguments)]),
    ...(command.options.length === 0 ? [] : [optionTable(command.options)]),
    ['```sh', ...commandExamples(command), '```'].join('\n'),
  ].join('\n\n');
}

const argumentTable = (parameters: readonly Argument[]): string =>
  markdownTable(
    ['argument', 'meaning'],
    parameters.map((each) => [code(each.required ? `<${each.name()}>` : `[${each.name()}]`), each.description]),
  );

const optionTable = (options: readonly Option[]): string =>
  markdownTable(
    ['option', 'meaning'],
    options.map((option) => [code(option.flags), meaning(option)]),
  );

function meaning(option: Option): string {
  const notes = [
    ...(option.argChoices ? [`one of ${option.argChoices.map(code).join(', ')}`] : []),
    ...(option.mandatory ? ['required'] : []),
    ...(option.defaultValue === undefined || option.negate ? [] : [`default ${code(String(option.defaultValue))}`]),
  ];
  return notes.length === 0 ? option.description : `${option.description} (${notes.join('; ')})`;
}
