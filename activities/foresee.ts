/** What a listing says already of entries that will not be moved, for a dry run. What only the move finds out, such as rights, is none of it. */
import { whyLeadsOut } from '../datapath/transfer/file-reader.ts';
import { splitPath } from '../drivers/file-store/contained-path.ts';
import { assertObjectKey } from '../drivers/object-store/object-key.ts';
import type { Stores } from '../drivers/open-site.ts';
import { PenstockError } from '../model/errors.ts';
import type { Location } from '../model/location.ts';
import type { FailedEntry, ManifestEntry } from '../model/manifest.ts';
import { FORESEEN_SHOWN, type Foreseen, type SymlinkPolicy } from '../model/transfer.ts';
import { isTree } from './places.ts';

export interface Foresight {
  look(entry: ManifestEntry): void;
  /** Of a list of so many; undefined where not all of them were looked at, for an earlier attempt made it. */
  found(files: number): Foreseen | undefined;
}

export function createForesight(stores: Stores, target: Location, symlinks: SymlinkPolicy | undefined): Foresight {
  let looked = 0;
  let count = 0;
  const first: FailedEntry[] = [];
  return {
    look(entry) {
      looked += 1;
      const failure = ofLink(entry, symlinks) ?? ofName(stores, target, entry.path);
      if (!failure) return;
      count += 1;
      if (first.length < FORESEEN_SHOWN) first.push({ path: entry.path, ...failure });
    },
    found: (files) => (looked === files ? { count, first } : undefined),
  };
}

type Reason = Omit<FailedEntry, 'path'>;

/** A followed link is no entry of its own, but for one that cannot be followed. */
function ofLink({ path, linkTarget }: ManifestEntry, symlinks: SymlinkPolicy | undefined): Reason | undefined {
  if (linkTarget === undefined) return undefined;
  if (symlinks === 'refuse') return { type: 'Denied', message: 'symbolic links are refused here' };
  const reason = symlinks === 'follow' ? 'it cannot be followed' : whyLeadsOut(path, linkTarget);
  return reason === undefined ? undefined : { type: 'Denied', message: `a symbolic link to ${JSON.stringify(linkTarget)}: ${reason}` };
}

function ofName(stores: Stores, { store, prefix }: Location, path: string): Reason | undefined {
  try {
    if (isTree(stores, store)) splitPath(path.replace(/\/$/, ''), store);
    else assertObjectKey(`${prefix}${path}`, store);
    return undefined;
  } catch (error) {
    if (!(error instanceof PenstockError)) throw error;
    return { type: error.type, message: error.message };
  }
}
