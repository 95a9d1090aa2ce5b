/**
 * Group commit: files sealed under a scope are made durable together, then published together, then their directories synced, each once. So a small file
 * costs a few calls instead of two flushes of the device.
 */
import { PenstockError } from '../../model/errors.ts';
import { type CommitPlace, commitWave, drop, type Pending, takeDescriptor } from './commit-wave.ts';
import type { Descriptor } from './descriptor.ts';
import type { FileFacts } from './port.ts';
import { quoted } from './posix-errors.ts';
import type { Finished } from './posix-publish.ts';
import { syncFd } from './raw-fs.ts';
import { openVolume, type Volume } from './volume.ts';

/** So many files cost less by one sync of the file system than one by one; fewer keep their descriptors for it. */
const SYNCED_TOGETHER_FROM_FILES = 32;
/** Sealed files that are flushed without being asked, and twice as many at most: about 1 KiB of memory each. */
const FLUSHED_FROM_FILES = 4096;

export interface GroupCommit {
  /** Before the first write: errors of writing back are told from here on. */
  begin(): Promise<void>;
  /** Takes the descriptor over. Settles when another file may be sealed; nobody has to await the publication. */
  join(file: Finished, descriptor: Descriptor): Promise<{ readonly published: Promise<FileFacts> }>;
  /** @returns what went wrong with directories that could not be synced */
  flush(deferred: ReadonlySet<string>): Promise<ReadonlyMap<string, Error>>;
  /** What was sealed and not flushed is gone afterwards, and its promises are rejected. */
  close(): Promise<void>;
}

export function createGroupCommit(place: CommitPlace): GroupCommit {
  let volume: Promise<Volume> | undefined;
  let pending: Pending[] = [];
  /** Those of them whose descriptors are still open. */
  let holding: Pending[] = [];
  /** Flushes run one after another. */
  let last: Promise<unknown> = Promise.resolve();

  function flush(deferred: ReadonlySet<string>): Promise<ReadonlyMap<string, Error>> {
    const flushed = last.then(async () => {
      const wave = pending;
      pending = [];
      holding = [];
      if (wave.length === 0 && deferred.size === 0) return new Map<string, Error>();
      return commitWave(place, await begun(), wave, deferred);
    });
    last = flushed.catch(() => undefined);
    return flushed;
  }

  function begun(): Promise<Volume> {
    if (volume) return volume;
    const opening = openVolume(place.root, place.store);
    volume = opening;
    opening.catch(() => {
      volume = undefined;
    });
    return opening;
  }

  /** A few files are synced one by one, through the descriptors that wrote them. Of many, none is needed: what they have to tell, the volume's sync tells. */
  async function keepFew(entry: Pending): Promise<void> {
    holding.push(entry);
    if (pending.length < SYNCED_TOGETHER_FROM_FILES) return;
    const unneeded = holding.map(takeDescriptor).filter((descriptor) => descriptor !== undefined);
    holding = [];
    await Promise.allSettled(unneeded.map((descriptor) => descriptor.close()));
  }

  return {
    async begin() {
      await begun();
    },
    async join(file, descriptor) {
      const here = await begun();
      const { promise: published, resolve, reject } = Promise.withResolvers<FileFacts>();
      published.catch(() => undefined);
      const entry: Pending = { file, awaitsVolume: here.covers(file.identity), descriptor, resolve, reject };
      if (!entry.awaitsVolume) await syncAlone(entry);
      pending.push(entry);
      if (entry.awaitsVolume) await keepFew(entry);
      // The flush that is under way took its files before this one.
      if (pending.length >= 2 * FLUSHED_FROM_FILES) await flush(new Set());
      else if (pending.length === FLUSHED_FROM_FILES) flush(new Set()).catch(() => undefined);
      return { published };
    },
    flush,
    async close() {
      await last;
      const abandoned = pending;
      pending = [];
      for (const entry of abandoned) {
        const path = entry.file.facts.path;
        await drop(place, entry, new PenstockError('IoError', `${quoted(path)} was not published: its batch ended before.`, { store: place.store }));
      }
      (await volume?.catch(() => undefined))?.close();
    },
  };
}

/** What the volume's own sync would not reach. */
async function syncAlone(entry: Pending): Promise<void> {
  const descriptor = takeDescriptor(entry);
  // A symbolic link has no content of its own; it becomes durable with its directory.
  if (entry.file.facts.linkTarget === undefined) await descriptor?.use(syncFd);
  await descriptor?.close();
}
