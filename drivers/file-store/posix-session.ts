/** Who writes an unfinished file: the attempt, this process, a number. Its temporary name is made of it. */
import { randomBytes } from 'node:crypto';
import { PenstockError } from '../../model/errors.ts';
import { TEMPORARY_PREFIX } from './contained-path.ts';
import { quoted } from './posix-errors.ts';

const SESSION = /^[A-Za-z0-9._-]{1,64}-[0-9a-f]{16}-[0-9a-z]{1,11}$/;
const thisProcess = randomBytes(8).toString('hex');
let serial = 0;

/** Unique per call: not even two activities of one attempt meet. */
export function newSession(attempt: string): string {
  serial += 1;
  return `${named(attempt)}-${thisProcess}-${serial.toString(36)}`;
}

/** @throws InvalidInput where it could not have come from {@link newSession} */
export function checkedSession(session: string, store: string): string {
  if (SESSION.test(session)) return session;
  throw new PenstockError('InvalidInput', `${quoted(session)} is no session of a file store.`, { store });
}

export const temporaryName = (session: string): string => `${TEMPORARY_PREFIX}${session}`;

/** How the temporary names of an attempt begin, and no other's. */
export const temporaryNamesOf = (attempt: string): string => temporaryName(`${named(attempt)}-`);

const named = (attempt: string): string => attempt.replaceAll(/[^A-Za-z0-9._-]/g, '_').slice(0, 64) || 'none';
