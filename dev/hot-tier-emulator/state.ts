/**
 * What the tier remembers: exports, snapshots, reservations and prefetch jobs, in one JSON file that is replaced whole
 * (temporary name, fsync, rename, fsync of the directory) before any change is answered. A change that cannot be written
 * has not happened. Bounded: each list has a limit, so the file has one too (some ten megabytes).
 */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import * as z from 'zod';
import { replaceFile } from '../replace-file.ts';
import { ApiError, errnoOf } from './api-error.ts';

/** Of each kind. A site's thousand allocations with four mounts each fit. */
export const MAX_OBJECTS = 4096;

const taken = {
  id: z.string(),
  owner: z.string(),
  key: z.string(),
  path: z.string(),
  createdAt: z.string(),
  /** Of the request that made it, to tell a repetition from a second use of its key. */
  requestDigest: z.string(),
};
const qos = z.strictObject({ floorBytesPerSecond: z.int(), ceilingBytesPerSecond: z.int() });
const ExportRecordSchema = z.strictObject({
  ...taken,
  expiresAt: z.string(),
  access: z.enum(['read-only', 'read-write']),
  clients: z.array(z.string()),
  qos,
});
const SnapshotRecordSchema = z.strictObject({ ...taken, expiresAt: z.string(), files: z.int(), bytes: z.int() });
const ReservationRecordSchema = z.strictObject({
  ...taken,
  expiresAt: z.string(),
  bytes: z.int(),
  /** What the path may hold in total: what it held when it was reserved, and `bytes` more. */
  promisedBytes: z.int(),
});
const JobRecordSchema = z.strictObject({
  ...taken,
  bytesPerSecond: z.int(),
  state: z.enum(['running', 'completed', 'failed']),
  files: z.int(),
  bytes: z.int(),
  doneFiles: z.int(),
  doneBytes: z.int(),
  /** What the path will hold when all is recalled; promised while the job runs. */
  promisedBytes: z.int(),
  error: z.string().optional(),
});
const StateSchema = z.strictObject({
  version: z.literal(1),
  exports: z.array(ExportRecordSchema),
  snapshots: z.array(SnapshotRecordSchema),
  reservations: z.array(ReservationRecordSchema),
  jobs: z.array(JobRecordSchema),
});

export type ExportRecord = z.output<typeof ExportRecordSchema>;
export type SnapshotRecord = z.output<typeof SnapshotRecordSchema>;
export type ReservationRecord = z.output<typeof ReservationRecordSchema>;
export type JobRecord = z.output<typeof JobRecordSchema>;
export type State = z.output<typeof StateSchema>;

export interface Decision<T> {
  readonly state: State;
  readonly result: T;
}

export interface StateStore {
  /** What is durable now; never changed in place. */
  current(): State;
  /** One at a time: decide on the current state, write the new one, then answer. Returning the same state writes nothing. */
  transact<T>(decide: (state: State) => Promise<Decision<T>> | Decision<T>): Promise<T>;
}

/** @param changed makes a change visible elsewhere; awaited before it is answered. Called again with the same state, it must do no harm. */
export async function openStateStore(file: string, changed: (state: State, before: State) => Promise<void> = async () => {}): Promise<StateStore> {
  let current = await load(file);
  let last: Promise<unknown> = Promise.resolve();
  return {
    current: () => current,
    transact(decide) {
      const turn = last.then(async () => {
        const { state, result } = await decide(current);
        if (state === current) return result;
        await replaceFile(file, JSON.stringify(state));
        const before = current;
        current = state;
        await changed(state, before);
        return result;
      });
      last = turn.catch(() => {});
      return turn;
    },
  };
}

async function load(file: string): Promise<State> {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  });
  if (text === undefined) return { version: 1, exports: [], snapshots: [], reservations: [], jobs: [] };
  try {
    return StateSchema.parse(JSON.parse(text));
  } catch (error) {
    // Starting empty would silently give back everything that is held.
    throw new Error(`${file} is not a state file of this emulator; restore it, or remove it to start with nothing held`, { cause: error });
  }
}

interface Keyed {
  readonly owner: string;
  readonly key: string;
  readonly requestDigest: string;
}

/**
 * The digest of a parsed request. Its keys come in its schema's order, so equal requests have equal text. The expiry is left
 * out: it moves by renewal, and a repetition that names another one still means the same thing.
 */
export function digestOf(request: object): string {
  return createHash('sha256')
    .update(JSON.stringify({ ...request, expiresAt: undefined }))
    .digest('hex');
}

/** What the owner took under this key, if anything; 409 where the request differs from the one that took it. */
export function findByKey<T extends Keyed>(records: readonly T[], request: { owner: string; key: string }, digest: string): T | undefined {
  const found = records.find((each) => each.owner === request.owner && each.key === request.key);
  if (found && found.requestDigest !== digest) {
    throw new ApiError(
      'key_conflict',
      `key ${JSON.stringify(request.key)} was used by ${JSON.stringify(request.owner)} for another request; a key names one thing`,
    );
  }
  return found;
}

export function refuseBeyondLimit(kind: string, records: readonly unknown[]): void {
  if (records.length >= MAX_OBJECTS) throw new ApiError('limit_reached', `the tier holds its limit of ${MAX_OBJECTS} ${kind}; release some`);
}

/** Those that have not expired; who looks never sees one that has, even before the sweep has removed it. */
export function live<T extends { readonly expiresAt: string }>(records: readonly T[], now: number): T[] {
  return records.filter((each) => Date.parse(each.expiresAt) > now);
}
