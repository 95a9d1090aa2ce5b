/** Reading one version of a file, or the target of a link. */
import { NOT_UTF8_ETAG, type OpenFile, SPECIAL_ETAG } from '../../drivers/file-store/port.ts';
import { isType, PenstockError } from '../../model/errors.ts';
import type { ManifestEntry } from '../../model/manifest.ts';
import { type BatchScope, BLOCK_BYTES, type EntryAttributes, type EntryReader } from './endpoint.ts';
import { type FilePlace, isDirectory } from './file-endpoint.ts';

/** Whatever lies in a file store. */
export interface FileStoreReader extends EntryReader {
  /** Permission bits of a directory of the source, by its path below the source's own directory, which is the empty path; undefined where there is none. */
  directoryMode(directory: string): Promise<number | undefined>;
}
export interface FileReader extends FileStoreReader {
  readonly file: OpenFile;
}

/** For a target that is a file store too, whose directories become what they were. */
export const isInFileStore = (reader: EntryReader): reader is FileStoreReader => 'directoryMode' in reader;

/** For a target that is a file store too, which then copies within the kernel. */
export const isFileReader = (reader: EntryReader): reader is FileReader => 'file' in reader;

/** Where a file is smaller, its holes are not worth asking for. */
const WORTH_HOLES_BYTES = 2 ** 20;

export async function openFileEntry(place: FilePlace, entry: ManifestEntry, scope?: BatchScope): Promise<FileStoreReader> {
  if (entry.linkTarget !== undefined) return openLink(place, entry, entry.linkTarget);
  if (isDirectory(entry.path)) return withoutContent(place, entry, async () => modeAttribute(await modeOf(place, entry.path.slice(0, -1))));
  if (entry.etag.startsWith(SPECIAL_ETAG)) throw special(place, entry);
  if (entry.etag === NOT_UTF8_ETAG) throw notUtf8(place, entry);
  const path = place.inStore(entry.path);
  const file = await place.store.openFile(path, { ifMatch: entry.etag, ...place.links, ...(scope ? { scope } : {}) }).catch(async (error: unknown) => {
    // Listed as an entry for want of its own.
    if (!isType(error, 'NotFound') || !(await place.store.hasDirectory(path))) throw error;
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
    directoryMode: (directory) => modeOf(place, directory),
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

async function openLink(place: FilePlace, entry: ManifestEntry, linkTarget: string): Promise<FileStoreReader> {
  const now = await place.store.stat(place.inStore(entry.path), place.links);
  const refused = now?.refused ?? whyLeadsOut(entry.path, linkTarget);
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
  // A link's own mode means nothing; that a time is told tells the target that attributes are carried.
  return withoutContent(place, entry, () => Promise.resolve({ linkTarget, modifiedAt: entry.modifiedAt }));
}

/**
 * As it is written, from the directory the link lies in: undefined where it stays below the data set's own directory wherever that is put, else why it does not, as a
 * clause.
 */
export function whyLeadsOut(path: string, linkTarget: string): string | undefined {
  if (linkTarget === '') return 'it leads nowhere';
  if (linkTarget.startsWith('/')) return 'it is absolute, so that a copy of it would lead out of the target';
  const steps = linkTarget.split('/').filter((step) => step !== '' && step !== '.');
  const named = steps.findIndex((step) => step !== '..');
  const up = named === -1 ? steps.length : named;
  if (up > path.split('/').length - 1) return 'it goes above the directory that is moved, so that a copy of it would lead out of the target';
  return steps.slice(up).includes('..')
    ? 'it has ".." behind a name, which may be a link itself, so that nobody knows where a copy of it would lead'
    : undefined;
}

async function modeOf({ store, base, inStore, links }: FilePlace, directory: string): Promise<number | undefined> {
  return (await store.statDirectory(directory === '' ? base : inStore(directory), links))?.mode;
}

const modeAttribute = (mode: number | undefined): EntryAttributes => (mode === undefined ? {} : { mode });

function special({ store }: FilePlace, { path, etag }: ManifestEntry): PenstockError {
  const message = `${JSON.stringify(path)} is a ${etag.slice(SPECIAL_ETAG.length)}: only files, directories and links are moved.`;
  return new PenstockError('Denied', message, { store: store.name, nextStep: 'Nothing of it can be kept; remove it, or leave it out with --exclude.' });
}

function notUtf8({ store }: FilePlace, { path }: ManifestEntry): PenstockError {
  const message = `${JSON.stringify(path)} is not moved: its name is not valid UTF-8; what is not is shown as \uFFFD.`;
  return new PenstockError('InvalidInput', message, { store: store.name, nextStep: 'Rename it at the source, as with convmv.' });
}

function withoutContent(place: FilePlace, entry: ManifestEntry, attributes: () => Promise<EntryAttributes>): FileStoreReader {
  return {
    entry,
    spanBytes: BLOCK_BYTES,
    read: () => Promise.reject(new RangeError(`${entry.path} has no content`)),
    verify: () => Promise.resolve(),
    recordedCrc32c: () => Promise.resolve(undefined),
    attributes,
    directoryMode: (directory) => modeOf(place, directory),
    close: () => Promise.resolve(),
  };
}
