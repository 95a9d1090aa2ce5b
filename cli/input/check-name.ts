/** A check as people name it: its id, or the workflow id as `penstock check` and Temporal's UI show it. */
import { IdentifierSchema } from '../../model/identifiers.ts';
import { acceptInput } from './accept.ts';

export const CHECK_EXPECTED = 'the name of the check, as `penstock check` answered it';

/** @throws CliError InvalidInput */
export const checkName = (text: string): string => acceptInput(IdentifierSchema, text.replace(/^check\//, ''), 'check');
