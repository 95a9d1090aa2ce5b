/** A directory of a file store as one end of a transfer. A file system keeps no checksum, so equality is found by reading. */
import { posix } from 'node:path';
import { DIRECTORY_ETAG, type FileFacts, type FileStore, type SymlinkPolicy } from '../../drivers/file-store/port.ts';
import type { ManifestEntry } from '../../model/manifest.ts';
import type { BatchScope, Endpoint } from './endpoint.ts';
import { openFileEntry } from './file-reader.ts';
import { createFileEntry } from './file-writer.ts';
import { inLanes } from './lanes.ts';

export interface FileEndpointOptions {
  /** What symbolic links are to the transfer; default `keep`: a link is an entry with a target instead of content. */
  readonly symlinks?: SymlinkPolicy;
  /** FIFOs, sockets and devices: entries that are refused (default), or left out. */
  readonly specials?: 'refuse' | 'skip';
}

const DIRECTORIES_AT_ONCE = 8;

/** Where the files of an endpoint lie. */
export interface FilePlace {
  readonly store: FileStore;
  /** Of the endpoint, in the store; empty for the store's root. */
  readonly base: string;
  readonly links: { readonly symlinks: SymlinkPolicy; readonly within: string };
  inStore(entryPath: string): string;
  toEntry(facts: FileFacts): ManifestEntry;
}

export function createFileEndpoint(store: FileStore, path: string, { symlinks = 'keep', specials = 'refuse' }: FileEndpointOptions = {}): Endpoint {
  const base = path.replace(/\/+$/, '');
  const place: FilePlace = {
    store,
    base,
    links: { symlinks, within: base },
    inStore: (entryPath) => (base === '' ? entryPath : `${base}/${entryPath}`),
    toEntry: (facts) => ({
      path: base === '' ? facts.path : facts.path.slice(base.length + 1),
      bytes: facts.bytes,
      modifiedAt: facts.modifiedAt,
      etag: facts.etag,
      ...(facts.linkTarget === undefined ? {} : { linkTarget: facts.linkTarget }),
    }),
  };
  const { inStore, toEntry } = place;
  return {
    label: `${store.name} ${inStore('')}`,
    store: store.name,
    createScope: () => store.createScope(),
    async keep(entryPath, scope) {
      if (isDirectory(entryPath)) keepDirectory(inStore(entryPath.slice(0, -1)), scope);
      else await scope?.keep?.(inStore(entryPath));
    },
    async list({ after, ...rest } = {}) {
      const page = await store.list(base, {
        symlinks,
        emptyDirectories: true,
        specials: specials === 'refuse',
        ...rest,
        ...(after === undefined ? {} : { after: inStore(after) }),
      });
      const entries = page.entries.map(toEntry);
      return { entries, next: page.next === undefined ? undefined : entries.at(-1)?.path };
    },
    async cuts() {
      return (await store.listDirectories(base)).map((name) => `${name}/`);
    },
    async stat(entryPath) {
      if (isDirectory(entryPath)) return statDirectory(place, entryPath);
      const facts = await store.stat(inStore(entryPath), place.links);
      return facts && toEntry(facts);
    },
    open: (entry, { scope } = {}) => openFileEntry(place, entry, scope),
    create: (entry, options) => createFileEntry(place, entry, options),
    // A directory may hold what others put there.
    remove: (entryPath) => (isDirectory(entryPath) ? Promise.resolve() : store.remove(inStore(entryPath))),
    async collect(attempts, entries, signal) {
      const directories = new Set(entries.map(({ path: entryPath }) => posix.dirname(inStore(entryPath))));
      await inLanes(directories, DIRECTORIES_AT_ONCE, async (directory) => {
        signal?.throwIfAborted();
        // A name that cannot be, or a directory that may not be read, is told by its entry; what is left there is for the sweep.
        await store.collect(directory === '.' ? '' : directory, attempts).catch(() => undefined);
      });
    },
    sweep: (olderThan) => store.sweep(base, olderThan),
  };
}

/** Object stores show an empty directory as an empty object whose key ends in `/`. */
export const isDirectory = (entryPath: string): boolean => entryPath.endsWith('/');

async function statDirectory({ store, inStore, links }: FilePlace, entryPath: string): Promise<ManifestEntry | undefined> {
  const found = await store.statDirectory(inStore(entryPath.slice(0, -1)), links);
  return found && { path: entryPath, bytes: 0, modifiedAt: found.modifiedAt, etag: DIRECTORY_ETAG };
}

/** The names of a directory that is there already, up to the root. */
function keepDirectory(path: string, scope: BatchScope | undefined): void {
  const steps = path.split('/');
  for (let depth = 0; depth <= steps.length; depth += 1) scope?.defer(steps.slice(0, depth).join('/'));
}
