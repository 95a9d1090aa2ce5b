import type * as z from 'zod';
import { formatIssues, parseInput } from '../../model/issues.ts';
import { CliError } from '../cli-error.ts';

/** The same schema that the workflow holds its input to, so that what is refused is refused before anything starts. @throws CliError InvalidInput */
export function acceptInput<S extends z.ZodType>(schema: S, input: unknown, origin?: string): z.output<S> {
  const parsed = parseInput(schema, input);
  if (parsed.ok) return parsed.value;
  throw new CliError('refused', `${origin ? `${origin}:\n` : ''}${formatIssues(parsed.issues)}`, { type: 'InvalidInput' });
}
