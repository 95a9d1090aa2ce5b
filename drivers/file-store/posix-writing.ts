/** What a write needs to know of its store and its scope. */
import type { Directories } from './contained-path.ts';
import type { GroupCommit } from './group-commit.ts';
import type { SmallFiles } from './small-files.ts';

export interface Writing {
  readonly store: string;
  /** Held open where there is a scope. */
  readonly directories: Directories;
  /** From the root, each time. */
  readonly walk: Directories;
  /** Publishes together what is sealed under a scope. */
  readonly batch: GroupCommit | undefined;
  /** Writes many small files at once, under a scope. */
  readonly small?: SmallFiles | undefined;
  /** A directory got a new entry; undefined where nobody else syncs it. */
  readonly defer: ((directory: string) => void) | undefined;
}
