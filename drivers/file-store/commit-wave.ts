/** One wave of a group commit: contents durable, then names published, then directories durable. Each file is told by itself what became of it. */
import { inLanes } from '../../datapath/transfer/lanes.ts';
import { PenstockError } from '../../model/errors.ts';
import type { Directories, HeldDirectory } from './contained-path.ts';
import type { Descriptor } from './descriptor.ts';
import type { FileThread } from './file-thread.ts';
import type { FileFacts } from './port.ts';
import { posixError, quoted } from './posix-errors.ts';
import { type Finished, publishIn, publishManyIn, syncDirectory } from './posix-publish.ts';
import { syncFd, unlinkName } from './raw-fs.ts';
import type { Volume } from './volume.ts';

/** Calls in flight: libuv has four threads, and the journal takes syncs together. */
const CALLS_IN_FLIGHT = 16;
/** So many directories cost less by one sync of the file system. */
const DIRECTORIES_SYNCED_TOGETHER_FROM = 32;
/** So many names of one directory are worth a thread. */
const PUBLISHED_TOGETHER_FROM = 64;
/** Names given to the thread at once: a few milliseconds, in which files that are written wait for it. */
const PUBLISHED_AT_ONCE = 256;

export interface CommitPlace {
  readonly root: string;
  readonly store: string;
  /** Held open. */
  readonly directories: Directories;
  /** From the root, each time. */
  readonly walk: Directories;
  /** Publishes many. */
  readonly thread?: FileThread;
}

/** A file that is sealed and not yet published. */
export interface Pending {
  readonly file: Finished;
  /** Neither synced nor to be synced by itself, unless it has a descriptor. */
  readonly awaitsVolume: boolean;
  descriptor: Descriptor | undefined;
  readonly resolve: (facts: FileFacts) => void;
  readonly reject: (error: Error) => void;
}

export interface Wave {
  readonly files: readonly Pending[];
  readonly deferred: ReadonlySet<string>;
  /** Identity of one of the files that lay there before and that the volume's sync is to reach; undefined where there are none. */
  readonly kept: string | undefined;
  /** Nothing more is to be published. */
  readonly ending: AbortSignal;
}
export interface WaveOutcome {
  /** What went wrong with the deferred directories. */
  readonly directories: ReadonlyMap<string, Error>;
  /** Why the kept files may not be durable. */
  readonly kept: Error | undefined;
}

/** Settles every file of the wave. */
export async function commitWave(place: CommitPlace, volume: Volume, { deferred, ending, files, kept }: Wave): Promise<WaveOutcome> {
  const { durable, volumeFailed } = await makeDurable(place, volume, files, kept, ending);
  const published = await publishAll(place, durable, ending);
  const failures = await syncDirectories(place, volume, published, deferred);
  for (const { file, resolve, reject } of published) {
    const failure = failureOnTheWay(failures, file.directory);
    if (failure) reject(failure);
    else resolve(file.facts);
  }
  const directories = new Map([...failures].filter(([directory]) => deferred.has(directory)));
  return { directories, kept: kept === undefined ? undefined : volumeFailed };
}

/** The file will not be published: its temporary name goes, and its promise is rejected. */
export async function drop({ directories }: CommitPlace, entry: Pending, reason: Error): Promise<void> {
  const { directory, temporary } = entry.file;
  await takeDescriptor(entry)
    ?.close()
    .catch(() => undefined);
  // What cannot be removed is for the sweep.
  await directories(directory, {}, (held) => unlinkName(held.child(temporary))).catch(() => undefined);
  entry.reject(reason);
}

export const notPublished = (store: string, { file }: Pending): PenstockError =>
  new PenstockError('IoError', `${quoted(file.facts.path)} was not published: its batch ended before.`, { store });

/** Whoever takes it closes it. */
export function takeDescriptor(entry: Pending): Descriptor | undefined {
  const { descriptor } = entry;
  entry.descriptor = undefined;
  return descriptor;
}

async function makeDurable(
  place: CommitPlace,
  volume: Volume,
  wave: readonly Pending[],
  kept: string | undefined,
  ending: AbortSignal,
): Promise<{ readonly durable: readonly Pending[]; readonly volumeFailed: Error | undefined }> {
  const failures = new Map<Pending, Error>();
  const together = wave.filter((entry) => entry.awaitsVolume && !entry.descriptor);
  const identities = [...together.map(({ file }) => file.identity), ...(kept === undefined ? [] : [kept])];
  const isSynced = identities.length > 0;
  const volumeFailed = isSynced ? await volumeFailure(place, volume, identities) : undefined;
  if (volumeFailed) for (const entry of together) failures.set(entry, volumeFailed);
  await inLanes(wave, CALLS_IN_FLIGHT, async (entry) => {
    const descriptor = takeDescriptor(entry);
    if (!descriptor) return;
    try {
      // Where the volume was synced for the others, it was for this one.
      if (!isSynced || volumeFailed) {
        if (ending.aborted) throw notPublished(place.store, entry);
        await descriptor.use(syncFd);
      }
      await descriptor.close();
    } catch (error) {
      failures.set(entry, posixError(error, place.store, entry.file.facts.path));
      await descriptor.close().catch(() => undefined);
    }
  });
  await inLanes(failures, CALLS_IN_FLIGHT, ([entry, reason]) => drop(place, entry, reason));
  return { durable: wave.filter((entry) => !failures.has(entry)), volumeFailed };
}

async function volumeFailure({ store }: CommitPlace, volume: Volume, identities: readonly string[]): Promise<Error | undefined> {
  const covered = identities.every((identity) => volume.covers(identity));
  return volume.sync().then(
    () => (covered ? undefined : new PenstockError('IoError', 'An earlier sync of the file system failed, perhaps for this file.', { store })),
    (error: Error) => error,
  );
}

/** @returns those that are */
async function publishAll(place: CommitPlace, wave: readonly Pending[], ending: AbortSignal): Promise<readonly Pending[]> {
  const published: Pending[] = [];
  const byDirectory = Map.groupBy(wave, ({ file }) => file.directory.join('/'));
  await inLanes(byDirectory.values(), CALLS_IN_FLIGHT, async (entries) => {
    const steps = entries[0]?.file.directory ?? [];
    const tried = place.directories(steps, {}, async (held) => {
      const remaining = await publishTogether(place, held, entries, ending, published);
      await inLanes(remaining, CALLS_IN_FLIGHT, async (entry) => {
        if (ending.aborted) return drop(place, entry, notPublished(place.store, entry));
        await publishIn(held, place.store, entry.file).then(() => void published.push(entry), entry.reject);
      });
    });
    await tried.catch((error: unknown) => {
      for (const entry of entries) entry.reject(posixError(error, place.store, entry.file.facts.path));
    });
  });
  return published;
}

/** @param published those that are, added to @returns those that are left to be published one by one */
async function publishTogether(
  { store, thread }: CommitPlace,
  held: HeldDirectory,
  entries: readonly Pending[],
  ending: AbortSignal,
  published: Pending[],
): Promise<readonly Pending[]> {
  // On a file system over a network each call waits: there, several at a time are faster.
  const isLocal = entries.every(({ awaitsVolume }) => awaitsVolume);
  if (!thread || !isLocal || entries.length < PUBLISHED_TOGETHER_FROM) return entries;
  const remaining: Pending[] = [];
  let from = 0;
  for (; from < entries.length && !ending.aborted; from += PUBLISHED_AT_ONCE) {
    const some = entries.slice(from, from + PUBLISHED_AT_ONCE);
    const files = some.map(({ file }) => file);
    // Called off, it ends the thread: what is not published then is dropped.
    const outcomes = await publishManyIn(held, store, thread, files).catch((error: Error) => (ending.aborted ? [] : files.map(() => error)));
    for (const [index, entry] of some.entries()) {
      const outcome = outcomes[index];
      if (outcome === undefined) remaining.push(entry);
      else if (outcome === 'published') published.push(entry);
      else entry.reject(outcome);
    }
  }
  return [...remaining, ...entries.slice(from)];
}

/** @returns the failures, by directory */
async function syncDirectories(
  { walk, store }: CommitPlace,
  volume: Volume,
  published: readonly Pending[],
  deferred: ReadonlySet<string>,
): Promise<Map<string, Error>> {
  const failures = new Map<string, Error>();
  const wanted = new Map<string, string | undefined>([...deferred].map((directory) => [directory, undefined]));
  for (const { file } of published) wanted.set(file.directory.join('/'), file.directoryIdentity);
  const isTogether = wanted.size >= DIRECTORIES_SYNCED_TOGETHER_FROM;
  const covered: string[] = [];
  await inLanes(wanted, CALLS_IN_FLIGHT, async ([directory, identity]) => {
    const isCovered = (found: string) => isTogether && volume.covers(found) && covered.push(directory) > 0;
    await syncDirectory(walk, store, directory === '' ? [] : directory.split('/'), identity, isCovered).catch((error: Error) => {
      failures.set(directory, error);
    });
  });
  if (covered.length === 0) return failures;
  await volume.sync().catch((error: Error) => {
    for (const directory of covered) failures.set(directory, error);
  });
  return failures;
}

/** A name is durable when its directory is, and every directory made for it. */
function failureOnTheWay(failures: ReadonlyMap<string, Error>, steps: readonly string[]): Error | undefined {
  if (failures.size === 0) return undefined;
  for (let depth = steps.length; depth >= 0; depth -= 1) {
    const failure = failures.get(steps.slice(0, depth).join('/'));
    if (failure) return failure;
  }
  return undefined;
}
