/** Eviction asked from outside, by whoever can vouch that the files exist elsewhere. The tier sees to it that nobody holds them. */
import { rm } from 'node:fs/promises';
import { ApiError } from './api-error.ts';
import { locate } from './catalog.ts';
import { isBelow, steps } from './paths.ts';
import { acceptPath, type EvictionInput } from './schemas.ts';
import { promisesOf } from './space.ts';
import { live } from './state.ts';
import type { Tier } from './tier.ts';
import { at, openDirectory } from './tree.ts';

/** Inside a transaction, so that no reservation or export comes in between. Refuses (409) what is held, and what is not exactly what the caller means. */
export async function evictPath(tier: Tier, input: EvictionInput): Promise<{ path: string; files: number; bytes: number }> {
  const path = acceptPath(input.path, 'data');
  return tier.store.transact(async (state) => {
    const now = tier.now();
    const holders = [...promisesOf(state, now), ...live(state.exports, now)].map((each) => each.path);
    const holder = holders.find((held) => isBelow(path, held) || isBelow(held, path));
    if (holder !== undefined) throw new ApiError('in_use', `${path} is held by a reservation, an export or a prefetch of ${holder}; it stays`);
    const { hotFiles, hotBytes } = await locate(tier, path);
    if (hotFiles !== input.files || hotBytes !== input.bytes) {
      throw new ApiError(
        'in_use',
        `${path} holds ${hotFiles} files of ${hotBytes} bytes, not ${input.files} of ${input.bytes}; somebody else writes there, and it stays`,
      );
    }
    const parent = await openDirectory(tier.config.root, `/${steps(path).slice(0, -1).join('/')}`);
    try {
      // Links below are removed, never followed.
      if (parent) await rm(at(parent, steps(path).at(-1) ?? ''), { recursive: true, force: true });
      await parent?.sync();
    } finally {
      await parent?.close();
    }
    return { state, result: { path, files: hotFiles, bytes: hotBytes } };
  });
}
