/**
 * Group commit: files sealed under a scope are made durable together, then published together, then their directories synced, each once. So a small file
 * costs a few calls instead of two flushes of the device.
 */
import { constants } from 'node:fs';
import { type CommitPlace, commitWave, drop, notPublished, type Pending, takeDescriptor } from './commit-wave.ts';
import { identityOf } from './contained-path.ts';
import type { Descriptor } from './descriptor.ts';
import type { FileFacts } from './port.ts';
import type { Finished } from './posix-publish.ts';
import { dropFd, openFd, statLink, syncFd } from './raw-fs.ts';
import { openVolume, type Volume } from './volume.ts';

/** So many files cost less by one sync of the file system than one by one; fewer keep their descriptors for it. */
const SYNCED_TOGETHER_FROM_FILES = 32;
/** Sealed files that are flushed without being asked, and twice as many at most: about 1 KiB of memory each. */
const FLUSHED_FROM_FILES = 1024;
/** The same for what a killed worker would have to move again: so much content, or so long ago. */
const FLUSHED_FROM_BYTES = 2 ** 30;
const FLUSHED_AFTER_MS = 5_000;
/** A batch that is called off waits so long for what it sealed; moving that again is dearer, being stuck on a slow disk is not allowed. */
const CLOSED_WITHIN_MS = 1_000;

const KEEP_FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
const NONE: ReadonlySet<string> = new Set();

export interface GroupCommit {
  /** Before the first write: errors of writing back are told from here on. @returns the volume, which syncs what it covers */
  begin(): Promise<Volume>;
  /**
   * Takes the descriptor over; none is needed of a file that the volume covered before it was written. Settles when another file may be sealed; nobody has to await the
   * publication.
   */
  join(file: Finished, descriptor?: Descriptor): Promise<{ readonly published: Promise<FileFacts> }>;
  /** The content of what lies there already is durable after the next flush. @param named the name in a directory held open */
  keep(named: string): Promise<void>;
  /** @returns what went wrong with directories that could not be synced @throws what went wrong with kept files, from then on always */
  flush(deferred: ReadonlySet<string>): Promise<ReadonlyMap<string, Error>>;
  /**
   * Flushes what was sealed, for {@link CLOSED_WITHIN_MS} at most; what is not published by then is dropped, its promises rejected.
   * @param release called once nothing uses the directories any more, perhaps later
   */
  close(deferred: ReadonlySet<string>, release: () => void): Promise<void>;
}

export function createGroupCommit(place: CommitPlace): GroupCommit {
  let volume: Promise<Volume> | undefined;
  let pending: Pending[] = [];
  /** Those of them whose descriptors are still open. */
  let holding: Pending[] = [];
  /** Flushes run one after another. */
  let last: Promise<unknown> = Promise.resolve();
  /** Since the last wave. */
  let sealedBytes = 0;
  let timer: NodeJS.Timeout | undefined;
  let kept: string | undefined;
  /** Which files it was about is forgotten, so no later flush may say that all is well. */
  let keptFailure: Error | undefined;
  let isClosed = false;
  const ending = new AbortController();

  function flush(deferred: ReadonlySet<string>): Promise<ReadonlyMap<string, Error>> {
    const flushed = last.then(async () => {
      const wave = { files: pending, deferred, kept, ending: ending.signal };
      pending = [];
      holding = [];
      kept = undefined;
      sealedBytes = 0;
      clearTimeout(timer);
      timer = undefined;
      const isEmpty = wave.files.length === 0 && deferred.size === 0 && wave.kept === undefined;
      if (isEmpty || ending.signal.aborted) {
        for (const entry of wave.files) await drop(place, entry, notPublished(place.store, entry));
        if (keptFailure) throw keptFailure;
        return new Map<string, Error>();
      }
      const outcome = await commitWave(place, await begun(), wave);
      keptFailure ??= outcome.kept;
      if (keptFailure) throw keptFailure;
      return outcome.directories;
    });
    last = flushed.catch(() => undefined);
    return flushed;
  }

  /** Nobody asked for it: each file is told by itself. */
  const flushUnasked = (): void => void flush(NONE).catch(() => undefined);

  /** @param before bytes, without the file sealed just now */
  async function flushWhereDue(before: number): Promise<void> {
    // The flush that is under way took its files before this one.
    if (pending.length >= 2 * FLUSHED_FROM_FILES) await flush(NONE).catch(() => undefined);
    else if (pending.length === FLUSHED_FROM_FILES || (before < FLUSHED_FROM_BYTES && sealedBytes >= FLUSHED_FROM_BYTES)) flushUnasked();
    else if (pending.length > 0) timer ??= setTimeout(flushUnasked, FLUSHED_AFTER_MS).unref();
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
    begin: begun,
    async join(file, descriptor) {
      const here = await begun();
      const { promise: published, resolve, reject } = Promise.withResolvers<FileFacts>();
      published.catch(() => undefined);
      const entry: Pending = { file, awaitsVolume: !descriptor || here.covers(file.identity), descriptor, resolve, reject };
      if (!entry.awaitsVolume) await syncAlone(entry);
      // A straggler: there will be no flush any more, and the volume may be closed.
      if (isClosed) throw notPublished(place.store, entry);
      pending.push(entry);
      const before = sealedBytes;
      sealedBytes += file.facts.bytes;
      const due = flushWhereDue(before);
      if (entry.awaitsVolume && descriptor) await keepFew(entry);
      await due;
      return { published };
    },
    async keep(named) {
      const here = await begun();
      const stats = await statLink(named);
      const identity = identityOf(stats);
      if (here.covers(identity)) kept = identity;
      else if (stats.isFile()) await syncNamed(named);
    },
    flush,
    async close(deferred, release) {
      isClosed = true;
      clearTimeout(timer);
      const ended = (pending.length > 0 ? flush(deferred) : last)
        .catch(() => undefined)
        .then(async () => {
          (await volume?.catch(() => undefined))?.close();
          release();
        });
      if (await endsWithin(ended, CLOSED_WITHIN_MS)) return;
      ending.abort();
      void place.thread?.close();
      // Their temporary names go when the disk gets round to it.
      for (const entry of pending) entry.reject(notPublished(place.store, entry));
    },
  };
}

/** @returns whether it did */
async function endsWithin(work: Promise<void>, ms: number): Promise<boolean> {
  const { promise: late, resolve } = Promise.withResolvers<boolean>();
  const timer = setTimeout(resolve, ms, false);
  try {
    return await Promise.race([work.then(() => true), late]);
  } finally {
    clearTimeout(timer);
  }
}

async function syncNamed(named: string): Promise<void> {
  const fd = await openFd(named, KEEP_FLAGS);
  await syncFd(fd).finally(() => dropFd(fd));
}

/** What the volume's own sync would not reach. */
async function syncAlone(entry: Pending): Promise<void> {
  const descriptor = takeDescriptor(entry);
  // A symbolic link has no content of its own; it becomes durable with its directory.
  if (entry.file.facts.linkTarget === undefined) await descriptor?.use(syncFd);
  await descriptor?.close();
}
