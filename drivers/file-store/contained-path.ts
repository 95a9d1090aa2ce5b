/**
 * Containment: a path is walked step by step from the root, each directory opened without following a link and the next step taken
 * relative to it through `/proc/self/fd/{fd}/{step}`, which is what openat() does. A link planted before or while we walk is met with
 * an error, never followed; a directory moved away meanwhile stays the one we opened.
 */
import { constants } from 'node:fs';
import { type FileHandle, lstat, mkdir, open } from 'node:fs/promises';
import { PenstockError } from '../../model/errors.ts';
import { errnoOf, posixError, quoted } from './posix-errors.ts';

/** Names an attempt's unfinished file. Never listed, and refused as a name of content. */
export const TEMPORARY_PREFIX = '.penstock-tmp-';

const DIRECTORY_FLAGS = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;

/** A directory held open: names relative to it cannot lead elsewhere. */
export interface HeldDirectory {
  /** Relative to the root; empty for the root. */
  readonly path: string;
  readonly handle: FileHandle;
  child(name: string): string;
}

export interface WalkOptions {
  /** For the message where a step is in the way: what was to be reached. */
  readonly wanted?: string;
  /** Creates what is missing, and tells the directories that got a new entry and so need a sync. */
  readonly create?: { readonly mode: number; readonly changed: (directory: string) => void };
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
  let held = hold('', await openRoot(root, store));
  try {
    for (const step of steps) {
      const next: HeldDirectory = await enter(held, step, store, options);
      await held.handle.close();
      held = next;
    }
    return await use(held);
  } finally {
    await held.handle.close();
  }
}

/** Opens a child directory. The caller closes it. */
export async function openChildDirectory(parent: HeldDirectory, name: string): Promise<HeldDirectory> {
  return hold(joinPath(parent.path, name), await open(parent.child(name), DIRECTORY_FLAGS));
}

export const joinPath = (directory: string, name: string): string => (directory === '' ? name : `${directory}/${name}`);

async function openRoot(root: string, store: string): Promise<FileHandle> {
  // The root itself is the operator's word; it may be a link.
  return open(root, constants.O_RDONLY | constants.O_DIRECTORY).catch((error: unknown) => {
    throw posixError(error, store, root);
  });
}

async function enter(parent: HeldDirectory, step: string, store: string, options: WalkOptions): Promise<HeldDirectory> {
  const { create } = options;
  try {
    return await openChildDirectory(parent, step);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT' || !create) throw await explained(error, parent, step, store, options);
  }
  try {
    await mkdir(parent.child(step), { mode: create.mode }).catch((error: unknown) => {
      if (errnoOf(error) !== 'EEXIST') throw error;
    });
    create.changed(parent.path);
    return await openChildDirectory(parent, step);
  } catch (error) {
    throw await explained(error, parent, step, store, options);
  }
}

/** Linux answers ENOTDIR for a link as for a file: look which it is. */
async function explained(error: unknown, parent: HeldDirectory, step: string, store: string, { wanted }: WalkOptions): Promise<Error> {
  const path = joinPath(parent.path, step);
  if (errnoOf(error) !== 'ENOTDIR' && errnoOf(error) !== 'ELOOP') return posixError(error, store, path);
  const facts = await lstat(parent.child(step)).catch(() => undefined);
  if (facts?.isSymbolicLink()) {
    return new PenstockError('Denied', `${quoted(path)} is a symbolic link, which is never followed.`, { store, cause: error });
  }
  const below = wanted === undefined ? 'nothing can lie below it' : `${quoted(wanted)} cannot lie below it`;
  return new PenstockError('Conflict', `${quoted(path)} is a file, so ${below}.`, { store, cause: error, nextStep: 'Rename one of them.' });
}

function hold(path: string, handle: FileHandle): HeldDirectory {
  return { path, handle, child: (name) => `/proc/self/fd/${handle.fd}/${name}` };
}
