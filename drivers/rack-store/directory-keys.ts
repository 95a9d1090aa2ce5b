/** The keys in a rack's directory, in byte order: a directory sorts as its name with a slash, as its keys do. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { TEMPORARY_PREFIX } from '../file-store/contained-path.ts';
import { isMissing } from '../file-store/posix-errors.ts';
import { byBytes } from '../pages.ts';

/** Skips what lies outside the prefix or not behind `after`, and unfinished files. */
export async function* listKeys(root: string, prefix: string, after: string, directory = ''): AsyncGenerator<string> {
  const entries = await readdir(join(root, directory), { withFileTypes: true }).catch((error: unknown) => {
    if (!isMissing(error)) throw error;
    return [];
  });
  const names = entries
    .filter((entry) => (entry.isDirectory() || entry.isFile()) && !entry.name.startsWith(TEMPORARY_PREFIX))
    .map((entry) => directory + entry.name + (entry.isDirectory() ? '/' : ''))
    .sort(byBytes);
  for (const name of names) {
    if (name.endsWith('/')) {
      const within = name.startsWith(prefix) || prefix.startsWith(name);
      const behind = byBytes(name, after) > 0 || after.startsWith(name);
      if (within && behind) yield* listKeys(root, prefix, after, name);
    } else if (name.startsWith(prefix) && byBytes(name, after) > 0) {
      yield name;
    }
  }
}
