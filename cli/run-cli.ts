/** One command line, from arguments to exit code. */
import { type Command, CommanderError } from 'commander';
import type { Run } from './command.ts';
import { type Exit, exitCodes } from './exit-codes.ts';
import { escapeText } from './output/escape.ts';
import { renderAnswer } from './output/render.ts';
import { buildProgram } from './program.ts';
import { type Globals, type Io, Session } from './session.ts';

/** @returns the exit code; see exit-codes.ts */
export async function runCli(parameters: readonly string[], io: Io): Promise<number> {
  let exit: Exit = 'ok';
  const run: Run = async (command, work) => {
    const session = new Session(io, globalsOf(command));
    try {
      const answer = await work(session);
      if (!answer.isWritten) io.stdout(renderAnswer(answer, session.globals.output));
      exit = answer.exit ?? 'ok';
    } catch (error) {
      exit = await report(error, session);
    } finally {
      await session.close();
    }
  };
  const program = buildProgram(run, { stdout: io.stdout, stderr: (text) => io.stderr(escapeText(text)) });
  try {
    await program.parseAsync(parameters, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    exit = error.exitCode === 0 ? 'ok' : 'usage';
  }
  return exitCodes[exit].code;
}

const globalsOf = (command: Command): Globals => command.optsWithGlobals<Globals & Record<string, unknown>>();

/** Knowing every kind of error means loading their libraries, which a command that succeeds need not wait for. */
async function report(error: unknown, session: Session): Promise<Exit> {
  const { toFailure } = await import('./failure.ts');
  const failure = toFailure(error);
  session.note(`${failure.type}: ${failure.message}`);
  if (session.globals.verbose && error instanceof Error && error.stack) session.note(error.stack);
  return failure.exit;
}
