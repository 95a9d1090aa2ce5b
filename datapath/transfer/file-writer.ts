/** Writing one file: positional writes under a temporary name, published whole by the store. */
import {
  DIRECTORY_ETAG,
  type FileCreateOptions,
  type FileFacts,
  type FileSealOptions,
  type ModeOfNew,
  type UnpublishedFile,
} from '../../drivers/file-store/port.ts';
import { isType, PenstockError } from '../../model/errors.ts';
import type { ManifestEntry } from '../../model/manifest.ts';
import { crc32cOf } from './crc32c.ts';
import { combineCrc32c, type Piece } from './crc32c-combine.ts';
import { BLOCK_BYTES, type CreateOptions, type EntryWriter, ONE_REQUEST_BYTES, type PartReceipt, STREAMED_PART_BYTES } from './endpoint.ts';
import { type FilePlace, isDirectory } from './file-endpoint.ts';
import { type FileReader, isFileReader, isInFileStore, openFileEntry, whyLeadsOut } from './file-reader.ts';
import { OtherContent } from './other-content.ts';
import { readCrc32c } from './read-crc32c.ts';
import { SourceFailure } from './source-failure.ts';

export async function createFileEntry(place: FilePlace, entry: ManifestEntry, options: CreateOptions): Promise<EntryWriter> {
  if (options.retention) throw noRetention(place, entry);
  if (isDirectory(entry.path)) return createDirectoryEntry(place, entry, options);
  const { linkTarget, mode } = options.attributes ?? {};
  const refused = linkTarget === undefined ? undefined : whyLeadsOut(entry.path, linkTarget);
  if (linkTarget !== undefined && refused !== undefined) throw leadsOutside(place, entry, linkTarget, refused);
  const create: FileCreateOptions = {
    attempt: options.attempt,
    ...(mode === undefined ? {} : { mode }),
    ...modesOfNew(place, options),
    ...(options.scope ? { scope: options.scope } : {}),
  };
  if (isInOneStep(place, entry, options)) return inOneStep(place, entry, options, create);
  const isSparse = options.source?.nextData !== undefined;
  const begun = place.store.createFile(place.inStore(entry.path), {
    ...create,
    ...(isSparse ? {} : { bytes: entry.bytes }),
    ...(options.session ? { session: options.session } : {}),
    ...(options.room ? { room: options.room } : {}),
  });
  const file = await (options.session ? begun.catch(orLost) : begun);
  const source = options.source && isFileReader(options.source) ? options.source : undefined;
  // As the source is best read; every worker of one entry has the same kind of source.
  const partBytes = options.source?.readBlocks ? streamedPartBytes(entry.bytes) : (options.source?.spanBytes ?? BLOCK_BYTES);
  return {
    partBytes,
    keepsHoles: true,
    session: file.session,
    async writePart(number, content) {
      let position = number * partBytes;
      if ('buffer' in content) {
        await file.write(content.buffer, position);
        return { number, bytes: content.buffer.length, crc32c: content.crc32c };
      }
      for await (const block of content.blocks) {
        await file.write(block, position);
        position += block.length;
      }
      return { number, bytes: content.bytes, crc32c: await content.crc32c?.() };
    },
    ...(source && { copyPart: (number: number, bytes: number, signal?: AbortSignal) => copyBlock(place, source, file, { number, bytes }, signal) }),
    async seal(_receipts, crc32c) {
      const { published } = await file.seal(sealOptions(entry, options));
      return { published: confirmed(place, entry, published, crc32c, options.scope) };
    },
    close: () => file.close(),
    abandon: () => file.abandon(),
  };
}

const sealOptions = (entry: ManifestEntry, { attributes, replace = false }: CreateOptions): FileSealOptions => ({
  bytes: entry.bytes,
  modifiedAt: attributes?.modifiedAt ?? entry.modifiedAt,
  replace,
  ...(attributes ? { attributes } : {}),
});

/** Of this worker alone, and nothing that the kernel could copy. */
function isInOneStep({ store }: FilePlace, { bytes }: ManifestEntry, { attributes, room, scope, session, source }: CreateOptions): boolean {
  const isShared = room !== undefined || session !== undefined;
  const isCopied = source !== undefined && isFileReader(source);
  if (!scope || isShared || isCopied || attributes?.linkTarget !== undefined) return false;
  return store.writesTogether(bytes, scope);
}

/** Nothing is begun before the content is there: the store writes many small files at once. */
function inOneStep(place: FilePlace, entry: ManifestEntry, options: CreateOptions, create: FileCreateOptions): EntryWriter {
  let whole: Buffer = Buffer.alloc(0);
  return {
    partBytes: BLOCK_BYTES,
    keepsHoles: false,
    session: '',
    async writePart(number, content) {
      if ('buffer' in content) {
        whole = content.buffer;
        return { number, bytes: whole.length, crc32c: content.crc32c };
      }
      whole = Buffer.alloc(content.bytes);
      let position = 0;
      for await (const block of content.blocks) position += block.copy(whole, position);
      return { number, bytes: position, crc32c: await content.crc32c?.() };
    },
    async seal(_receipts, crc32c) {
      const { published } = await place.store.writeWhole(place.inStore(entry.path), whole, { ...create, ...sealOptions(entry, options) });
      return { published: confirmed(place, entry, published, crc32c, options.scope) };
    },
    close: () => Promise.resolve(),
    abandon: () => Promise.resolve(),
  };
}

const streamedPartBytes = (bytes: number): number => (bytes <= ONE_REQUEST_BYTES ? ONE_REQUEST_BYTES : STREAMED_PART_BYTES);

/** Nothing passed here to be checked, so both sides are read: what the kernel wrote against what it was to write. */
async function copyBlock(
  place: FilePlace,
  source: FileReader,
  file: UnpublishedFile,
  { number, bytes }: { readonly number: number; readonly bytes: number },
  signal: AbortSignal | undefined,
): Promise<PartReceipt | undefined> {
  const offset = number * BLOCK_BYTES;
  // Where the device failed, reading and writing apart will tell which of the two it was.
  const isCopied = await file.copyFrom(source.file, offset, bytes, signal).catch((error: unknown) => {
    if (isType(error, 'IoError')) return false;
    throw error;
  });
  if (!isCopied) return undefined;
  const buffer = Buffer.allocUnsafe(Math.min(bytes, CHECKED_BYTES));
  const [read, written]: [Piece[], Piece[]] = [[], []];
  for (let position = 0; position < bytes; position += buffer.length) {
    const piece = buffer.subarray(0, Math.min(buffer.length, bytes - position));
    await source.read(piece, offset + position).catch((error: unknown) => {
      throw new SourceFailure(error);
    });
    read.push({ bytes: piece.length, crc32c: crc32cOf(piece) });
    await file.read(piece, offset + position);
    written.push({ bytes: piece.length, crc32c: crc32cOf(piece) });
  }
  const crc32c = combineCrc32c(read);
  if (combineCrc32c(written) === crc32c) return { number, bytes, crc32c };
  throw new PenstockError('ChecksumMismatch', `${JSON.stringify(source.entry.path)} was copied with other content at byte ${offset}.`, {
    store: place.store.name,
  });
}
const CHECKED_BYTES = 2 ** 20;

/** A taken name is looked into: it may be this very content, by an earlier attempt. */
async function confirmed(
  place: FilePlace,
  entry: ManifestEntry,
  published: Promise<FileFacts>,
  crc32c: string | undefined,
  scope: CreateOptions['scope'],
): Promise<ManifestEntry> {
  try {
    return withChecksum(place.toEntry(await published), crc32c);
  } catch (error) {
    if (!isType(error, 'Conflict')) throw error;
    const facts = await place.store.stat(place.inStore(entry.path), place.links);
    if (!facts) throw error;
    const other = (difference: string) => {
      const label = JSON.stringify(place.inStore(entry.path));
      return new OtherContent({ label, bytes: facts.bytes, wantedBytes: entry.bytes, difference }, { store: place.store.name, cause: error });
    };
    if (facts.linkTarget !== entry.linkTarget)
      throw other(facts.linkTarget === undefined ? 'a file there' : `a link to ${JSON.stringify(facts.linkTarget)} there`);
    if (facts.bytes !== entry.bytes || crc32c === undefined) throw other('content that cannot be compared');
    const found = facts.linkTarget === undefined ? await readCrc32c(await openFileEntry(place, place.toEntry(facts))) : crc32c;
    if (found !== crc32c) throw other('other CRC32C');
    await scope?.keep?.(place.inStore(entry.path));
    return withChecksum(place.toEntry(facts), crc32c);
  }
}

const withChecksum = (entry: ManifestEntry, crc32c: string | undefined): ManifestEntry => (crc32c === undefined ? entry : { ...entry, crc32c });

/** Without attributes, of a link only its target is given. */
const isCarried = ({ attributes }: CreateOptions): boolean => attributes?.mode !== undefined || attributes?.modifiedAt !== undefined;

/**
 * A directory made on the way gets the mode of the one it stands for, the target's own directory that of the source's: what was closed to others is not open to them at the
 * target for a moment.
 */
function modesOfNew({ base }: FilePlace, options: CreateOptions): { readonly modeOfNew?: ModeOfNew } {
  const { source } = options;
  if (!source || !isInFileStore(source) || !isCarried(options)) return {};
  return {
    async modeOfNew(directory) {
      const isBelow = base === '' || directory === base || directory.startsWith(`${base}/`);
      if (!isBelow) return undefined;
      const mode = source.directoryMode(base === '' ? directory : directory.slice(base.length + 1)).catch((error: unknown) => {
        throw new SourceFailure(error);
      });
      // Gone since the file was opened, or moved: it may have been closed to others.
      return (await mode) ?? CLOSED_MODE;
    },
  };
}
const CLOSED_MODE = 0o700;

async function createDirectoryEntry(place: FilePlace, entry: ManifestEntry, options: CreateOptions): Promise<EntryWriter> {
  const { store, inStore } = place;
  if (entry.bytes > 0) {
    throw new PenstockError(
      'InvalidInput',
      `${JSON.stringify(entry.path)} holds ${entry.bytes} bytes, but a name that ends in "/" is a directory in a file system.`,
      {
        store: store.name,
        nextStep: 'Rename it at the source.',
      },
    );
  }
  return {
    partBytes: BLOCK_BYTES,
    keepsHoles: true,
    session: '',
    writePart: () => Promise.reject(new TypeError('a directory has no content')),
    async seal(_receipts, crc32c) {
      const path = inStore(entry.path.slice(0, -1));
      const { mode } = options.attributes ?? {};
      const { modeOfNew } = modesOfNew(place, options);
      await store.ensureDirectory(path, {
        modeOfNew: async (directory) => (directory === path && mode !== undefined ? mode : modeOfNew?.(directory)),
        ...(options.scope ? { scope: options.scope } : {}),
      });
      return { published: Promise.resolve(withChecksum({ ...entry, etag: DIRECTORY_ETAG }, crc32c)) };
    },
    close: () => Promise.resolve(),
    abandon: () => Promise.resolve(),
  };
}

/** What the workers of one entry share was swept, or published already by one of them. */
function orLost(error: unknown): never {
  if (!isType(error, 'NotFound')) throw error;
  throw new PenstockError('SessionLost', error.message, { cause: error });
}

function leadsOutside({ store }: FilePlace, entry: ManifestEntry, linkTarget: string, refused: string): PenstockError {
  return new PenstockError('Denied', `${JSON.stringify(entry.path)} would be a link to ${JSON.stringify(linkTarget)}: ${refused}.`, {
    store: store.name,
    nextStep: 'Change the link at the source, or choose another policy for links.',
  });
}

function noRetention({ store }: FilePlace, entry: ManifestEntry): PenstockError {
  return new PenstockError('PolicyRefused', `${JSON.stringify(entry.path)} cannot be retained: a file system has no Object Lock.`, {
    store: store.name,
    nextStep: 'Name an object store with Object Lock.',
  });
}
