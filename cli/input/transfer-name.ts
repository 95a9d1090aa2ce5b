/** A transfer as people name it: its id, or the workflow id as Temporal's UI shows it. */
import { IdentifierSchema } from '../../model/identifiers.ts';
import { acceptInput } from './accept.ts';

export const TRANSFER_EXPECTED = 'the name of the transfer, as `transfer start` answered it';

/** @throws CliError InvalidInput */
export const transferName = (text: string): string => acceptInput(IdentifierSchema, text.replace(/^transfer\//, ''), 'transfer');

/** Sorts by time, and does not meet another of the same second. */
export function newName(kind: string, now: Date): string {
  const time = now
    .toISOString()
    .replaceAll(/[-:]|\.\d+Z$/g, '')
    .toLowerCase();
  return `${kind}-${time}-${crypto.randomUUID().slice(0, 4)}`;
}
