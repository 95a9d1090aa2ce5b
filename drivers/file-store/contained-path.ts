/**
 * Containment: a path is walked step by step from the root, each directory opened without following a link and the next step taken
 * relative to it through `/proc/self/fd/{fd}/{step}`, which is what openat() does. A link planted before or while we walk is met with
 * an error, never followed; a directory moved away meanwhile stays the one we opened.
 */
import { type BigIntStats, constants } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { PenstockError } from '../../model/errors.ts';
import type { ModeOfNew } from './port.ts';
import { errnoOf, posixError, quoted } from './posix-errors.ts';
import { chmodFd, dropFd, openFd, statFd, statLink, syncFd } from './raw-fs.ts';

/** Names an attempt's unfinished file. Never listed, and refused as a name of content. */
export const TEMPORARY_PREFIX = '.penstock-tmp-';

const PERMISSION_BITS = 0o777;
const OWNER_BITS = 0o700;
const DIRECTORY_FLAGS = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;

/** A directory held open: names relative to it cannot lead elsewhere. */
export interface HeldDirectory {
  /** Relative to the root; empty for the root. */
  readonly path: string;
  readonly fd: number;
  child(name: string): string;
  /** Device and inode: tells whether two walks met the same directory. */
  identity(): Promise<string>;
  sync(): Promise<void>;
  close(): void;
}

export interface WalkOptions {
  /** For the message where a step is in the way: what was to be reached. */
  readonly wanted?: string;
  /** Creates what is missing, and tells the directories that got a new entry and so need a sync. */
  readonly create?: CreateDirectories;
}
export interface CreateDirectories {
  /** Permission bits, less the umask. */
  readonly mode: number;
  /** Asked before a directory is made: the bits that it is to have instead, whatever the umask. */
  readonly modeOf?: ModeOfNew | undefined;
  readonly changed: (directory: string) => void;
}

/** Whether a walk met no directory where one was to be: nothing, a file, or a link. */
export function isNoDirectory(error: unknown): boolean {
  const errno = errnoOf(error instanceof PenstockError ? error.cause : error);
  return errno === 'ENOENT' || errno === 'ENOTDIR' || errno === 'ELOOP';
}

/** Steps of a path relative to the root. @throws InvalidInput where a step could mean something else than a name */
export function splitPath(path: string, store: string): string[] {
  if (path === '') return [];
  const steps = path.split('/');
  for (const step of steps) {
    const reason = refusal(step);
    if (reason) throw new PenstockError('InvalidInput', `The path ${quoted(path)} ${reason}.`, { store });
  }
  return steps;
}

function refusal(step: string): string | undefined {
  if (step === '') return 'has an empty step (a leading, doubled or final "/")';
  if (step === '.' || step === '..') return `has the step "${step}"`;
  if (step.includes('\0')) return 'holds a NUL';
  if (!step.isWellFormed()) return 'is not valid Unicode';
  if (step.startsWith(TEMPORARY_PREFIX)) return `has a step that begins with "${TEMPORARY_PREFIX}", which names unfinished files`;
  return undefined;
}

/** Splits into the directory's steps and the last name. */
export function splitParent(path: string, store: string): { readonly directory: string[]; readonly name: string } {
  const steps = splitPath(path, store);
  const name = steps.pop();
  if (name === undefined) throw new PenstockError('InvalidInput', 'The root itself is no file.', { store });
  return { directory: steps, name };
}

/** Opens the directory for the time of `use`. @throws NotFound, Denied through a link, Conflict where a step is a file */
export async function withDirectory<T>(
  root: string,
  store: string,
  steps: readonly string[],
  options: WalkOptions,
  use: (directory: HeldDirectory) => Promise<T>,
): Promise<T> {
  let held = await openRoot(root, store);
  try {
    for (const step of steps) {
      const next: HeldDirectory = await enter(held, step, store, options);
      held.close();
      held = next;
    }
    return await use(held);
  } finally {
    held.close();
  }
}

/** Opens directories on the way to where something is done: one walk after another, or held open for many. */
export type Directories = <T>(steps: readonly string[], options: WalkOptions, use: (directory: HeldDirectory) => Promise<T>) => Promise<T>;

/** Opens a child directory. The caller closes it. */
export async function openChildDirectory(parent: HeldDirectory, name: string): Promise<HeldDirectory> {
  return hold(joinPath(parent.path, name), await openFd(parent.child(name), DIRECTORY_FLAGS));
}

/** Opens a child directory for the time of `use`. */
export async function withChildDirectory<T>(parent: HeldDirectory, name: string, use: (directory: HeldDirectory) => Promise<T>): Promise<T> {
  const held = await openChildDirectory(parent, name);
  try {
    return await use(held);
  } finally {
    held.close();
  }
}

/**
 * All results, once every one has settled, or the first error. A held directory may be closed only then: a call that comes later would find another
 * file under its number.
 */
export async function settled<T>(calls: readonly Promise<T>[]): Promise<T[]> {
  await Promise.allSettled(calls);
  return Promise.all(calls);
}

export const joinPath = (directory: string, name: string): string => (directory === '' ? name : `${directory}/${name}`);

export async function openRoot(root: string, store: string): Promise<HeldDirectory> {
  // The root itself is the operator's word; it may be a link.
  const fd = await openFd(root, constants.O_RDONLY | constants.O_DIRECTORY).catch((error: unknown) => {
    throw posixError(error, store, root);
  });
  return hold('', fd);
}

/** One step down, made where it is missing and may be. The caller closes both. @throws as {@link withDirectory} */
export async function enter(parent: HeldDirectory, step: string, store: string, options: WalkOptions): Promise<HeldDirectory> {
  const { create } = options;
  try {
    return await openChildDirectory(parent, step);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT' || !create) throw await explained(error, parent, step, store, options);
  }
  const wanted = await create.modeOf?.(joinPath(parent.path, step));
  // Whoever fills it has to get in.
  const exact = wanted === undefined ? undefined : (wanted & PERMISSION_BITS) | OWNER_BITS;
  try {
    const isNew = await makeDirectory(parent.child(step), exact ?? create.mode);
    create.changed(parent.path);
    const held = await openChildDirectory(parent, step);
    if (!isNew || exact === undefined) return held;
    return await withMode(held, exact, create);
  } catch (error) {
    throw await explained(error, parent, step, store, options);
  }
}

/** @returns false where it is there already, with the mode it has */
async function makeDirectory(path: string, mode: number): Promise<boolean> {
  try {
    await mkdir(path, { mode });
    return true;
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw error;
    return false;
  }
}

/** Born with no more than these bits, it gets those that the umask took; set-id and sticky bits, which its parent may have handed down, stay. */
async function withMode(held: HeldDirectory, exact: number, { changed }: CreateDirectories): Promise<HeldDirectory> {
  try {
    const mode = Number((await statFd(held.fd)).mode);
    if ((mode & PERMISSION_BITS) !== exact) {
      await chmodFd(held.fd, (mode & 0o7000) | exact);
      changed(held.path);
    }
    return held;
  } catch (error) {
    held.close();
    throw error;
  }
}

/** Linux answers ENOTDIR for a link as for a file: look which it is. */
async function explained(error: unknown, parent: HeldDirectory, step: string, store: string, { wanted }: WalkOptions): Promise<Error> {
  const path = joinPath(parent.path, step);
  if (errnoOf(error) !== 'ENOTDIR' && errnoOf(error) !== 'ELOOP') return posixError(error, store, path);
  const facts = await statLink(parent.child(step)).catch(() => undefined);
  if (facts?.isSymbolicLink()) {
    return new PenstockError('Denied', `${quoted(path)} is a symbolic link, which is never followed.`, { store, cause: error });
  }
  const below = wanted === undefined ? 'nothing can lie below it' : `${quoted(wanted)} cannot lie below it`;
  return new PenstockError('Conflict', `${quoted(path)} is a file, so ${below}.`, { store, cause: error, nextStep: 'Rename one of them.' });
}

/** Tells one file or directory from any other of this host. */
export const identityOf = ({ dev, ino }: Pick<BigIntStats, 'dev' | 'ino'>): string => `${dev}-${ino}`;

function hold(path: string, fd: number): HeldDirectory {
  const inFd = `/proc/self/fd/${fd}/`;
  let identity: Promise<string> | undefined;
  return {
    path,
    fd,
    child: (name) => inFd + name,
    identity() {
      identity ??= statFd(fd).then(identityOf);
      return identity;
    },
    sync: () => syncFd(fd),
    close: () => dropFd(fd),
  };
}
