/**
 * Which keys Penstock accepts. S3 itself takes nearly any bytes, but a key that one product reads as a path and another as a name is an
 * alias and a way out of a prefix: what a POSIX-backed store would resolve (`//`, `.`, `..`) or a log would split (control characters) is refused.
 */
import { PenstockError } from '../../model/errors.ts';

/** S3's own limit. */
const MAX_KEY_BYTES = 1024;

/** One final `/` is a directory's marker, an object without bytes. @throws InvalidInput naming the key and the reason */
export function assertObjectKey(key: string, store: string): void {
  const reason = refusal(key);
  if (reason) throw new PenstockError('InvalidInput', `The key ${JSON.stringify(key)} ${reason}.`, { store, nextStep: 'Rename it at the source.' });
}

/** A prefix is a key's beginning: empty, or steps that may end in `/`. */
export function assertKeyPrefix(prefix: string, store: string): void {
  if (prefix === '') return;
  assertObjectKey(prefix, store);
}

function refusal(key: string): string | undefined {
  if (key === '') return 'is empty';
  if (/\p{Cc}/u.test(key)) return 'holds a control character';
  if (!key.isWellFormed()) return 'is not valid Unicode';
  if (Buffer.byteLength(key) > MAX_KEY_BYTES) return `is longer than ${MAX_KEY_BYTES} bytes`;
  for (const step of (key.endsWith('/') ? key.slice(0, -1) : key).split('/')) {
    if (step === '') return 'has an empty step (a leading or doubled "/")';
    if (step === '.' || step === '..') return `has the step "${step}"`;
  }
  return undefined;
}
