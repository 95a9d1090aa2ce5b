/** Reading one version of a file, or the target of a link. */
import type { OpenFile } from '../../drivers/file-store/port.ts';
import { PenstockError } from '../../model/errors.ts';
import type { ManifestEntry } from '../../model/manifest.ts';
import { type BatchScope, BLOCK_BYTES, type EntryReader } from './endpoint.ts';
import { type FilePlace, isDirectory } from './file-endpoint.ts';

export interface FileReader extends EntryReader {
  readonly file: OpenFile;
}

/** For a target that is a file store too, which then copies within the kernel. */
export const isFileReader = (reader: EntryReader): reader is FileReader => 'file' in reader;

/** Where a file is smaller, its holes are not worth asking for. */
const WORTH_HOLES_BYTES = 2 ** 20;

export async function openFileEntry(place: FilePlace, entry: ManifestEntry, scope?: BatchScope): Promise<EntryReader> {
  if (entry.linkTarget !== undefined) return openLink(place, entry, entry.linkTarget);
  if (isDirectory(entry.path)) return withoutContent(entry, {});
  const path = place.inStore(entry.path);
  const file = await place.store.openFile(path, { ifMatch: entry.etag, ...place.links, ...(scope ? { scope } : {}) }).catch(async (error: unknown) => {
    // Listed as an entry for want of its own.
    if (!(error instanceof PenstockError) || error.type !== 'NotFound' || !(await place.store.hasDirectory(path))) throw error;
    throw new PenstockError('Denied', `${JSON.stringify(entry.path)} is a directory that could not be read when it was listed.`, {
      store: place.store.name,
      nextStep: 'Let the mover read it.',
    });
  });
  const reader: FileReader = {
    entry,
    spanBytes: BLOCK_BYTES,
    file,
    async read(into, offset) {
      await file.read(into, offset);
      return undefined;
    },
    verify: () => file.verify(),
    recordedCrc32c: () => Promise.resolve(undefined),
    attributes: () => file.attributes(),
    close: () => file.close(),
  };
  if (entry.bytes < WORTH_HOLES_BYTES) return reader;
  const first = await file.nextData(0).catch(async (error: unknown) => {
    await file.close();
    throw error;
  });
  const isWhole = first?.start === 0 && first.end >= entry.bytes;
  return isWhole ? reader : { ...reader, nextData: (offset) => file.nextData(offset) };
}

async function openLink(place: FilePlace, entry: ManifestEntry, linkTarget: string): Promise<EntryReader> {
  const now = await place.store.stat(place.inStore(entry.path), place.links);
  const refused = now?.refused ?? (leadsOut(entry.path, linkTarget) ? 'it leads outside' : undefined);
  if (refused !== undefined) {
    throw new PenstockError('Denied', `The symbolic link ${JSON.stringify(entry.path)} -> ${JSON.stringify(linkTarget)} is not moved: ${refused}.`, {
      store: place.store.name,
      nextStep: 'Remove the link, or choose another policy for links.',
    });
  }
  if (now?.linkTarget !== linkTarget) {
    throw new PenstockError('SourceChanged', `${JSON.stringify(entry.path)} is no longer a link to ${JSON.stringify(linkTarget)}.`, {
      store: place.store.name,
    });
  }
  return withoutContent(entry, { linkTarget });
}

/** As it is written: from the directory the link lies in, no higher than the data set's root. */
export function leadsOut(path: string, linkTarget: string): boolean {
  if (linkTarget === '' || linkTarget.startsWith('/')) return true;
  const steps = linkTarget.split('/').filter((step) => step !== '' && step !== '.');
  const named = steps.findIndex((step) => step !== '..');
  const up = named === -1 ? steps.length : named;
  // Behind a name, which may be a link itself, `..` leads nobody knows where.
  return up > path.split('/').length - 1 || steps.slice(up).includes('..');
}

function withoutContent(entry: ManifestEntry, attributes: { readonly linkTarget?: string }): EntryReader {
  return {
    entry,
    spanBytes: BLOCK_BYTES,
    read: () => Promise.reject(new RangeError(`${entry.path} has no content`)),
    verify: () => Promise.resolve(),
    recordedCrc32c: () => Promise.resolve(undefined),
    attributes: () => Promise.resolve(attributes),
    close: () => Promise.resolve(),
  };
}
