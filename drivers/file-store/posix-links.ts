/**
 * Following symbolic links inside the root, and nowhere else. A link is resolved as text, one step at a time, each step looked at through a contained walk; what
 * comes out is a path without links, which the caller opens by another contained walk. A link swapped in between is therefore met with an error, never followed.
 */
import { readlink } from 'node:fs/promises';
import { PenstockError } from '../../model/errors.ts';
import { type Directories, splitPath } from './contained-path.ts';
import { errnoOf, quoted } from './posix-errors.ts';

const OUTSIDE = 'it leads outside';

/** As the kernel's own limit of links on one path. */
const MOST_LINKS = 40;

export type Resolved =
  /** Steps below the root, none of them a link when it was looked at. */
  | { readonly steps: readonly string[] }
  /** Why it is not followed, as a clause. */
  | { readonly refused: string };

/** Where links are followed. */
export interface LinkScope {
  readonly root: string;
  readonly store: string;
  readonly directories: Directories;
  /** Steps of the directory that no link may lead out of. */
  readonly within: readonly string[];
}

/** @param base steps without links, from which the path's first step is taken */
export async function resolvePath({ root, store, directories, within }: LinkScope, base: readonly string[], path: string): Promise<Resolved> {
  const real = [...base];
  const ahead = splitPath(path, store);
  let links = 0;
  for (let step = ahead.shift(); step !== undefined; step = ahead.shift()) {
    if (step === '' || step === '.') continue;
    if (step === '..') {
      if (real.pop() === undefined) return { refused: OUTSIDE };
      continue;
    }
    const target = await linkTarget(directories, real, step);
    if (target === undefined) {
      real.push(step);
      continue;
    }
    links += 1;
    if (links > MOST_LINKS) return { refused: `it leads over more than ${MOST_LINKS} links, or in a circle` };
    const inside = belowRoot(root, target);
    if (inside === undefined) return { refused: OUTSIDE };
    if (target.startsWith('/')) real.length = 0;
    ahead.unshift(...inside.split('/'));
  }
  return within.every((step, depth) => step === real[depth]) ? { steps: real } : { refused: OUTSIDE };
}

/** Undefined where the step is no link, or nothing. */
async function linkTarget(directories: Directories, base: readonly string[], step: string): Promise<string | undefined> {
  try {
    return await directories(base, {}, (held) => readlink(held.child(step)));
  } catch (error) {
    // EINVAL: something else than a link.
    if (errnoOf(error) === 'EINVAL' || errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** A relative target as it is, an absolute one relative to the root; undefined where it is absolute and not below. */
function belowRoot(root: string, target: string): string | undefined {
  if (!target.startsWith('/')) return target;
  if (target === root) return '';
  return target.startsWith(`${root}/`) ? target.slice(root.length + 1) : undefined;
}

/**
 * @throws Denied for a link that would, or together with another could, lead outside: absolute, with more `..` than it has directories above it, or with one
 * behind a name, which may be a link itself
 */
export function checkTarget(store: string, path: string, target: string): void {
  const steps = target.split('/').filter((step) => step !== '' && step !== '.');
  const firstName = steps.findIndex((step) => step !== '..');
  const up = firstName === -1 ? steps.length : firstName;
  const isInside = target !== '' && !target.startsWith('/') && up < path.split('/').length && !steps.includes('..', up);
  if (isInside) return;
  throw new PenstockError('Denied', `${quoted(path)} would be a link to ${quoted(target)}, which could lead outside the store.`, { store });
}
