/** At start: what a killed emulator left in the tree. Half-recalled files go; files set aside by an eviction go back to their names. */
import { link, readdir, unlink } from 'node:fs/promises';
import { INCOMING_PREFIX } from './prefetch-copy.ts';
import { EVICTED_PREFIX } from './space.ts';
import { at, ignore, openDirectory, walk } from './tree.ts';

export async function mendLeftovers(root: string): Promise<void> {
  const mend = (path: string) => mendDirectory(root, path);
  for await (const _file of walk({ here: root }, '/', mend)) {
    // The walk is for its directories.
  }
}

async function mendDirectory(root: string, path: string): Promise<void> {
  const directory = await openDirectory(root, path);
  if (!directory) return;
  try {
    for (const name of await readdir(at(directory, '.'))) {
      const recalled = name.startsWith(INCOMING_PREFIX);
      const evicted = name.startsWith(EVICTED_PREFIX);
      if (evicted) await link(at(directory, name), at(directory, name.slice(EVICTED_PREFIX.length))).catch(ignore('EEXIST'));
      if (recalled || evicted) await unlink(at(directory, name));
    }
  } finally {
    await directory.close();
  }
}
