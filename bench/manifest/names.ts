/** A listing of any length that takes no memory: seeded names of a plausible data set, in path order. */
import type { ManifestEntry } from '../../model/manifest.ts';

const FILES_PER_DIRECTORY = 10_000;
const SEED = 0x9e3779b9;
const FIRST_MODIFIED_MS = Date.UTC(2026, 0, 1);

export async function* generateEntries(count: number): AsyncGenerator<ManifestEntry, void> {
  const random = xorshift(SEED);
  for (let index = 0; index < count; index += 1) {
    const directory = String(Math.floor(index / FILES_PER_DIRECTORY)).padStart(6, '0');
    const name = `${String(index % FILES_PER_DIRECTORY).padStart(4, '0')}-${hex(random())}${hex(random())}`;
    yield {
      path: `train/shard-${directory}/sample-${name}.jpeg`,
      bytes: 1 + (random() % 4_000_000),
      modifiedAt: new Date(FIRST_MODIFIED_MS + index * 10).toISOString(),
      etag: `"${hex(random())}${hex(random())}${hex(random())}${hex(random())}"`,
    };
  }
}

/** Marsaglia's 32-bit generator: the same names on every machine. */
function xorshift(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}

const hex = (value: number): string => value.toString(16).padStart(8, '0');
