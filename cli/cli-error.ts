import type { Exit } from './exit-codes.ts';

/** An error this tool found itself, which knows its exit code. */
export class CliError extends Error {
  readonly exit: Exit;
  readonly type: string;

  constructor(exit: Exit, message: string, options: { type?: string; cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.name = 'CliError';
    this.exit = exit;
    this.type = options.type ?? exit;
  }
}
