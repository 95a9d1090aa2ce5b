/**
 * A machine's spool: batches that the log did not take, in a directory on its own storage, each a file by the name that it has in the inbox. Several processes share it, and whoever
 * finds a batch may send it: it is the same object however often it is sent.
 */
import { readdir } from 'node:fs/promises';
import type { FileStore } from '../../drivers/file-store/port.ts';
import { PenstockError } from '../../model/errors.ts';
import { type Batch, type BatchName, ifOther, parseBatchName } from './batch.ts';

/** A kilobyte each and seldom more: an hour of thirty entries a second. */
export const MOST_SPOOLED = 100_000;

export interface SpoolState {
  readonly entries: number;
  /** When the oldest of them was made, ISO; absent where there is none. */
  readonly since?: string;
}

export interface Spool {
  /** The batch is on stable storage when it answers. @throws PenstockError OutOfSpace where too many wait, or the storage is full */
  keep(batch: Batch): Promise<void>;
  /** Oldest first. */
  waiting(): Promise<BatchName[]>;
  read(name: string): Promise<Buffer>;
  /** Gone, be it by another process. */
  remove(name: string): Promise<void>;
}

/** @param files on an existing directory that only the workers' user may read: names of data stand in it */
export function createSpool(files: FileStore, mostEntries: number = MOST_SPOOLED): Spool {
  let entries = 0;
  return {
    async keep({ name, body }) {
      const more = parseBatchName(name)?.entries ?? 0;
      if (entries + more > mostEntries) throw tooMany(files.name, entries);
      entries += more;
      await files.write(name, body).catch(ifOther);
    },
    async waiting() {
      const batches = (await readdir(files.root)).sort().flatMap((name) => parseBatchName(name) ?? []);
      entries = entriesOf(batches);
      return batches;
    },
    read: (name) => files.readBytes(name),
    remove: (name) => files.remove(name),
  };
}

export function spoolState(batches: readonly BatchName[]): SpoolState {
  const [oldest] = batches;
  return { entries: entriesOf(batches), ...(oldest ? { since: new Date(oldest.atMs).toISOString() } : {}) };
}

const entriesOf = (batches: readonly BatchName[]): number => batches.reduce((sum, batch) => sum + batch.entries, 0);

const tooMany = (store: string, entries: number): PenstockError =>
  new PenstockError('OutOfSpace', `${entries} entries wait here for the audit log; no more are kept.`, {
    store,
    nextStep: 'Bring the log back: `penstock doctor` shows what its store answers.',
  });
