/** Which entries of one list cannot both be in a tree: a name that would have to be a file and a directory. */

/** @returns of a path: the entry that lies below it as if it were a directory, or that it lies below of; undefined where there is none */
export function findCollisions(paths: Iterable<string>): (path: string) => string | undefined {
  const all = new Set(paths);
  const below = new Map<string, string>();
  for (const path of all) for (const directory of directoriesOf(path)) if (!below.has(directory)) below.set(directory, path);
  return (path) => {
    const found = below.get(path);
    if (found !== undefined) return found;
    for (const directory of directoriesOf(path)) if (all.has(directory)) return directory;
    return undefined;
  };
}

function* directoriesOf(path: string): Generator<string, void> {
  for (let end = path.indexOf('/'); end !== -1; end = path.indexOf('/', end + 1)) yield path.slice(0, end);
}
