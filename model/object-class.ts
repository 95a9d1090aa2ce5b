/** What an object of the erasure set is, as its key says: the drain's names are fixed, and nothing else lies under `checkpoints/`. */
import { COMMIT_RECORD } from './checkpoint.ts';
import { PACK_FOLDER } from './drained-record.ts';

export const objectClasses = ['checkpoint-file', 'pack', 'record', 'other'] as const;
export type ObjectClass = (typeof objectClasses)[number];

export function objectClassOf(key: string): ObjectClass {
  const [, name] = /^[^/]+\/[^/]+\/[^/]+\/checkpoints\/[^/]+\/(.+)$/.exec(key) ?? [];
  if (name === undefined) return 'other';
  if (name === COMMIT_RECORD) return 'record';
  return name.startsWith(PACK_FOLDER) ? 'pack' : 'checkpoint-file';
}
