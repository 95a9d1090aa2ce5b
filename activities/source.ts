/** A source that is not there must not look like one that was moved whole: a mistyped path would be `complete` for ever. */
import type { FileStore } from '../drivers/file-store/port.ts';
import type { ObjectStore } from '../drivers/object-store/port.ts';
import type { Stores } from '../drivers/open-site.ts';
import { PenstockError } from '../model/errors.ts';
import { type Location, shortLocation } from '../model/location.ts';
import type { SymlinkPolicy } from '../model/transfer.ts';
import { objectsOf, treeOf } from './places.ts';

export interface DemandedSource {
  readonly source: Location;
  readonly symlinks?: SymlinkPolicy;
  /** Nothing below a prefix is then as good as something. */
  readonly allowEmpty?: boolean;
}

/**
 * An empty directory or bucket is a source like any other; an empty prefix of a bucket cannot be told from one that never was. @throws NotFound where nothing
 * lies there, InvalidInput where it is a single file or object
 */
export async function demandSource(stores: Stores, { source, symlinks, allowEmpty }: DemandedSource, signal: AbortSignal): Promise<void> {
  const files = treeOf(stores, source.store);
  if (files) await demandDirectory(files, source, symlinks, signal);
  else if (source.prefix !== '') await demandObjects(objectsOf(stores, source.store), source, allowEmpty, signal);
}

async function demandDirectory(files: FileStore, place: Location, symlinks: SymlinkPolicy | undefined, signal: AbortSignal): Promise<void> {
  const path = `${place.bucket}/${place.prefix}`.replace(/\/+$/, '');
  if (symlinks === 'follow' && (await files.list(path, { symlinks, limit: 1, signal })).entries.length > 0) return;
  if (await files.hasDirectory(path)) return;
  const found = await files.stat(path, { symlinks: 'keep' });
  // Why a link is not followed is the listing's to say.
  if (found?.linkTarget !== undefined) return;
  if (found) throw isOne('file', place);
  throw new PenstockError('NotFound', `source: there is no directory ${shortLocation(place)}.`, {
    nextStep: 'Look at its spelling, and whether the tree is mounted where the movers run.',
  });
}

async function demandObjects(objects: ObjectStore, place: Location, allowEmpty: boolean | undefined, signal: AbortSignal): Promise<void> {
  const { bucket, prefix } = place;
  // An object of the prefix's own name is how some tools mark an empty directory; it counts.
  if ((await objects.list(bucket, prefix, { limit: 1, signal })).entries.length > 0) return;
  if (await objects.head(bucket, prefix.slice(0, -1), { signal })) throw isOne('object', place);
  if (allowEmpty) return;
  throw new PenstockError('NotFound', `source: nothing lies below ${shortLocation(place)}.`, {
    nextStep: 'Look at its spelling. Where the source may well be empty, say so with --allow-empty (allowEmpty: true).',
  });
}

function isOne(kind: 'file' | 'object', place: Location): PenstockError {
  const path = shortLocation(place).slice(0, -1);
  const above = path.slice(0, path.lastIndexOf('/') + 1);
  return new PenstockError('InvalidInput', `source: ${path} is one ${kind}; accepted: a directory or prefix, for a transfer moves what lies below one.`, {
    nextStep: `Name the one it lies in, ${above}, and leave its neighbours out with --exclude.`,
  });
}
