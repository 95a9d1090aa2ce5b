/** Copies what lies under a prefix of the erasure set, page by page. A checkpoint's commit record goes last, for it is what makes a checkpoint. */
import { eachPage } from '../../drivers/pages.ts';
import type { RackStore } from '../../drivers/rack-store/port.ts';
import { COMMIT_RECORD } from '../../model/checkpoint.ts';
import { isFatal, PenstockError } from '../../model/errors.ts';
import { addReplications, noReplication, type ReplicationCounts } from '../../model/replication.ts';
import { listErasureObjects } from '../erasure/index.ts';
import { type ReplicateErasureObject, replicateErasureObject } from '../erasure/replicate.ts';
import { inLanes } from '../transfer/lanes.ts';
import { readDrainedRecord, unitsOf } from './drained.ts';

const OBJECTS_AT_ONCE = 2; // each holds some stripes of up to 18 MiB in flight, on both sides
const PAGE_KEYS = 200;

export interface ReplicatePart {
  readonly from: readonly RackStore[];
  readonly to: readonly RackStore[];
  readonly prefix: string;
  /** The last key of the part before. */
  readonly after?: string | undefined;
  readonly existing: ReplicateErasureObject['existing'];
  /** No object is begun after so long; at least one is. */
  readonly limitMilliseconds: number;
  readonly signal: AbortSignal;
  readonly onProgress?: (progress: ReplicationCounts) => void;
}
export interface ReplicatedPart extends ReplicationCounts {
  /** Where the next part goes on; absent at the end. */
  readonly after?: string;
}

/**
 * One page, or as much of it as fits the time. What cannot be copied for good (other content there, unreadable here) is counted and named, and the rest goes
 * on; what may pass, such as a set that is away, is thrown.
 */
export async function replicatePart(part: ReplicatePart): Promise<ReplicatedPart> {
  const { from, prefix, after, signal } = part;
  const began = Date.now();
  const { keys, next } = await listErasureObjects({ racks: from, prefix, after, limit: PAGE_KEYS, signal });
  const copy = copier(part);
  for (let index = 0; index < keys.length; index += OBJECTS_AT_ONCE) {
    const group = keys.slice(index, index + OBJECTS_AT_ONCE);
    const last = group.at(-1);
    await copy.all(group.filter((key) => !isRecord(key)));
    for (const record of group.filter(isRecord)) await copyCheckpoint(part, record, copy);
    const isLate = Date.now() - began >= part.limitMilliseconds && index + OBJECTS_AT_ONCE < keys.length;
    if (isLate && last !== undefined) return { ...copy.counts(), after: last };
  }
  return { ...copy.counts(), ...(next === undefined ? {} : { after: next }) };
}

interface Copier {
  /** @returns how many are not there: could not be copied, or are gone from here */
  all(keys: readonly string[]): Promise<number>;
  refuse(key: string, error: PenstockError): void;
  counts(): ReplicationCounts;
}

function copier({ from, to, existing, signal, onProgress }: ReplicatePart): Copier {
  const done = new Set<string>();
  let counts = noReplication;
  const add = (more: Partial<ReplicationCounts>) => {
    counts = addReplications(counts, { ...noReplication, ...more });
    onProgress?.(counts);
  };
  const refuse = (key: string, { type, message }: PenstockError) =>
    add({ notCopiedCount: 1, notCopied: [{ key, type, message: message.slice(0, MESSAGE_SHOWN) }] });

  async function one(key: string): Promise<boolean> {
    try {
      const { outcome, bytes, margin } = await replicateErasureObject({ from, to, key, existing, signal });
      if (outcome === 'gone') return false;
      add({ ...(outcome === 'mended' ? { existed: 1, mended: 1 } : { [outcome]: 1 }), bytes, leastMargin: margin });
    } catch (error) {
      if (!(error instanceof PenstockError) || error.errorClass !== 'fatal') throw error;
      refuse(key, error);
      return false;
    }
    done.add(key);
    return true;
  }
  return {
    refuse,
    // Several are copied at once; a person finds a name in order.
    counts: () => ({ ...counts, notCopied: counts.notCopied.toSorted((a, b) => (a.key < b.key ? -1 : 1)) }),
    async all(keys) {
      const wanted = keys.filter((key) => !done.has(key));
      let missing = 0;
      await inLanes(wanted, OBJECTS_AT_ONCE, async (key) => {
        if (!(await one(key))) missing += 1;
      });
      return missing;
    },
  };
}

/** A message may quote 18 racks; twenty of them must fit an answer. */
const MESSAGE_SHOWN = 500;

const isRecord = (key: string): boolean => key.endsWith(`/${COMMIT_RECORD}`);

/** First what the record names, all of it, also what was drained since this page was listed. */
async function copyCheckpoint(part: ReplicatePart, record: string, copy: Copier): Promise<void> {
  const prefix = record.slice(0, -COMMIT_RECORD.length);
  const named = await namedBy(part, prefix);
  const missing = named ? await copy.all(named) : await copyBeside(part, record, copy);
  if (missing === 0) await copy.all([record]);
  else copy.refuse(record, new PenstockError('CheckpointIncomplete', `${missing} objects of ${prefix} could not be copied, so its record was not either.`));
}

/** Undefined where the record cannot be read, or not understood: a file of a job may have that name, and a newer version other records. */
async function namedBy({ from, signal }: ReplicatePart, prefix: string): Promise<string[] | undefined> {
  try {
    const record = await readDrainedRecord({ racks: from, prefix, signal });
    return record && unitsOf(record).map(({ name }) => prefix + name);
  } catch (error) {
    if (error instanceof SyntaxError || isFatal(error)) return undefined;
    throw error;
  }
}

/** @returns how many could not be copied */
async function copyBeside({ from, signal }: ReplicatePart, record: string, copy: Copier): Promise<number> {
  const prefix = record.slice(0, -COMMIT_RECORD.length);
  let missing = 0;
  const pages = eachPage(({ after }) => listErasureObjects({ racks: from, prefix, after, limit: PAGE_KEYS, signal }));
  for await (const { keys } of pages) missing += await copy.all(keys.filter((key) => key !== record));
  return missing;
}
