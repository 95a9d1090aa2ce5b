/**
 * Lists a tree in the byte order of whole paths, the order S3 lists keys in. Where the next page follows, the walk goes on from memory instead of reading the
 * directories again.
 */
import { PenstockError } from '../../model/errors.ts';
import { type HeldDirectory, joinPath, settled, splitPath } from './contained-path.ts';
import { DIRECTORY_ETAG, type FileFacts, type FileListOptions, type FilePage, NOT_UTF8_ETAG } from './port.ts';
import { isMissing, posixError, quoted } from './posix-errors.ts';
import { type Child, compare, inDirectory, type Listing, linkScope, NOT_UTF8, readWindow, type Window } from './posix-list-window.ts';
import { walkFrom } from './posix-scope.ts';
import { follow, statIn } from './posix-stat.ts';

const DEFAULT_PAGE = 1_000;
/** stat calls in flight; libuv has four threads. */
const STAT_BATCH = 64;
/** Walks that may be resumed: as many listings as run at once in one process. */
const SUSPENDED_WALKS = 4;

interface Level {
  /** As it is listed; where a link was followed, another than the steps to it. */
  readonly path: string;
  readonly steps: readonly string[];
  /** Ascending; the walk takes from `index` on. */
  children: readonly Child[];
  index: number;
  /** More names lie behind the window's last. */
  truncated: boolean;
}
type Walk = Level[];

export function createLister(root: string, store: string): (path: string, options: FileListOptions) => Promise<FilePage> {
  const suspended = new Map<string, Walk>();
  return async (path, options) => {
    const { symlinks = 'skip', emptyDirectories = false, specials = false } = options;
    const listing: Listing = { root, store, walk: walkFrom(root, store), symlinks, emptyDirectories, specials, within: splitPath(path, store) };
    const keyOf = (after: string) => [symlinks, emptyDirectories, specials, path, after].join('\0');
    try {
      const resumeKey = keyOf(options.after ?? '');
      const walk = suspended.get(resumeKey) ?? (await startWalk(listing, path, options.after));
      suspended.delete(resumeKey);
      const { entries, next } = await takePage(listing, walk, options);
      if (next !== undefined) remember(suspended, keyOf(next), walk);
      return { entries, next };
    } catch (error) {
      throw posixError(error, store, path);
    }
  };
}

function remember(suspended: Map<string, Walk>, key: string, walk: Walk): void {
  suspended.set(key, walk);
  const oldest = suspended.keys().next();
  if (suspended.size > SUSPENDED_WALKS && !oldest.done) suspended.delete(oldest.value);
}

async function startWalk(listing: Listing, path: string, after: string | undefined): Promise<Walk> {
  const base = path === '' ? '' : `${path}/`;
  const walk: Walk = [];
  let directory = path;
  let steps = await startingSteps(listing, path);
  if (after === undefined || !after.startsWith(base)) {
    // A path outside the listed one is before or behind all of it.
    const isBehindAll = after !== undefined && base !== '' && compare(Buffer.from(after), Buffer.from(base)) > 0;
    if (!isBehindAll) await descend(listing, walk, directory, steps, undefined);
    return walk;
  }
  const below = after.slice(base.length).split('/');
  for (const [depth, step] of below.entries()) {
    const isLast = depth === below.length - 1;
    await descend(listing, walk, directory, steps, Buffer.from(isLast ? step : `${step}/`));
    directory = joinPath(directory, step);
    steps = isLast ? steps : await stepsInto(listing, steps, step);
  }
  return walk;
}

async function descend(listing: Listing, walk: Walk, path: string, steps: readonly string[], after: Buffer | undefined): Promise<Window> {
  const above = [...walk.map((level) => level.steps), steps];
  const window = await readWindow(listing, steps, after, above);
  walk.push({ path, steps, index: 0, ...window });
  return window;
}

/** Below the path links are treated as told; on the way to it one is an error, or a listing would be empty and look complete. */
async function startingSteps(listing: Listing, path: string): Promise<readonly string[]> {
  const { store, walk, symlinks } = listing;
  const steps = splitPath(path, store);
  if (symlinks === 'follow') {
    const led = await follow(linkScope(listing), [], path);
    if ('steps' in led) return led.steps;
    // Nothing there is as good as empty; another reason is a link's.
    if (await exists(walk(steps.slice(0, -1), {}, (held) => statIn(held, steps.at(-1) ?? '', path, 'keep')))) {
      throw new PenstockError('Denied', `${quoted(path)} is not followed: ${led.refused}.`, { store });
    }
    return steps;
  }
  await exists(walk(steps, {}, () => Promise.resolve(true)));
  return steps;
}

async function exists(found: Promise<unknown>): Promise<boolean> {
  try {
    return (await found) !== undefined;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

async function stepsInto(listing: Listing, steps: readonly string[], step: string): Promise<readonly string[]> {
  const led = listing.symlinks === 'follow' ? await follow(linkScope(listing), steps, step) : undefined;
  return led && 'steps' in led ? led.steps : [...steps, step];
}

async function takePage(listing: Listing, walk: Walk, options: FileListOptions): Promise<FilePage> {
  const limit = Math.max(1, options.limit ?? DEFAULT_PAGE);
  const entries: FileFacts[] = [];
  for (let level = walk.at(-1); level; level = walk.at(-1)) {
    options.signal?.throwIfAborted();
    const child = level.children[level.index];
    if (!child) {
      await refill(listing, walk, level);
    } else if (entries.length >= limit && (listing.emptyDirectories || !child.isDirectory)) {
      return { entries, next: entries.at(-1)?.path };
    } else if (child.isDirectory) {
      level.index += 1;
      const path = joinPath(level.path, child.name);
      const { empty } = await descend(listing, walk, path, child.leadsTo ?? [...level.steps, child.name], undefined);
      if (empty && listing.emptyDirectories) entries.push({ path: `${path}/`, bytes: 0, modifiedAt: empty.modifiedAt, etag: DIRECTORY_ETAG });
    } else {
      const files = filesFrom(level, Math.min(STAT_BATCH, limit - entries.length));
      level.index += files.length;
      entries.push(...(await statAll(listing, level, files)));
    }
  }
  return { entries, next: undefined };
}

async function refill(listing: Listing, walk: Walk, level: Level): Promise<void> {
  const last = level.children.at(-1);
  if (!level.truncated || !last) {
    walk.pop();
    return;
  }
  const above = walk.map(({ steps }) => steps);
  Object.assign(level, { index: 0, ...(await readWindow(listing, level.steps, last.sortKey, above)) });
}

function filesFrom(level: Level, most: number): Child[] {
  const files: Child[] = [];
  for (let child = level.children[level.index]; child && !child.isDirectory && files.length < most; ) {
    files.push(child);
    child = level.children[level.index + files.length];
  }
  return files;
}

async function statAll(listing: Listing, level: Level, files: readonly Child[]): Promise<FileFacts[]> {
  return inDirectory(listing, level.steps, [], async (held) => {
    const found = await settled(files.map((child) => statOne(listing, held, joinPath(level.path, child.name), child)));
    return found.filter((facts) => facts !== undefined);
  });
}

/** What vanished since it was read, or is no longer to be listed, is left out. */
async function statOne(listing: Listing, held: HeldDirectory, path: string, child: Child): Promise<FileFacts | undefined> {
  const { leadsTo, name, refused, unseen } = child;
  const unknown = { path, bytes: 0, modifiedAt: new Date(0).toISOString() };
  if (unseen !== undefined && refused !== undefined) return { ...unknown, etag: unseen, refused };
  try {
    if (leadsTo) return await listing.walk(leadsTo.slice(0, -1), {}, (parent) => statIn(parent, leadsTo.at(-1) ?? '', path, 'skip'));
    return await statIn(held, name, path, listing.symlinks, refused);
  } catch (error) {
    if (!isMissing(error)) throw error;
    return refused !== NOT_UTF8 ? undefined : { ...unknown, etag: NOT_UTF8_ETAG, refused };
  }
}
