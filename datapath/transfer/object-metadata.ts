/** What an object's user metadata says of the file it was: for stores that keep no CRC32C, no time of modification, no mode and no links of their own. */
import type { FileAttributes } from '../../drivers/file-store/port.ts';
import type { ObjectFacts } from '../../drivers/object-store/port.ts';
import { PenstockError } from '../../model/errors.ts';
import type { ManifestEntry } from '../../model/manifest.ts';
import type { EntryAttributes } from './endpoint.ts';

export const CRC32C_METADATA = 'penstock-crc32c';
export const MTIME_METADATA = 'penstock-mtime';
/** Octal permission bits, such as "644". */
export const MODE_METADATA = 'penstock-mode';
/** Base64 of the JSON of names to base64 values: S3's metadata is ASCII. */
export const XATTRS_METADATA = 'penstock-xattrs';
/** Base64 of a symbolic link's target; the object has no content. */
export const LINK_METADATA = 'penstock-link';

const OURS: ReadonlySet<string> = new Set([CRC32C_METADATA, MTIME_METADATA, MODE_METADATA, XATTRS_METADATA, LINK_METADATA]);

/** S3 allows 2 KB of user metadata, names included. */
const MAX_METADATA_BYTES = 2048;

/** @throws InvalidInput where the attributes are larger than an object's metadata may be */
export function metadataOf(
  entry: ManifestEntry,
  crc32c: string | undefined,
  { mode, modifiedAt, xattrs, linkTarget, userMetadata }: EntryAttributes = {},
): Record<string, string> {
  const metadata = {
    ...userMetadata,
    [MTIME_METADATA]: modifiedAt ?? entry.modifiedAt,
    ...(crc32c === undefined ? {} : { [CRC32C_METADATA]: crc32c }),
    ...(mode === undefined ? {} : { [MODE_METADATA]: mode.toString(8) }),
    ...(xattrs && Object.keys(xattrs).length > 0 ? { [XATTRS_METADATA]: base64(JSON.stringify(xattrs)) } : {}),
    ...(linkTarget === undefined ? {} : { [LINK_METADATA]: base64(linkTarget) }),
  };
  const bytes = Object.entries(metadata).reduce((sum, [name, value]) => sum + name.length + value.length, 0);
  if (bytes <= MAX_METADATA_BYTES) return metadata;
  throw new PenstockError(
    'InvalidInput',
    `${JSON.stringify(entry.path)} has ${bytes} bytes of metadata, its extended attributes packed; an object holds 2,048.`,
    { nextStep: 'Move it without attributes.' },
  );
}

/** All that a copy of the object is to have. */
export function objectAttributesOf({ bytes, metadata, servedAs }: Pick<ObjectFacts, 'bytes' | 'metadata' | 'servedAs'>): EntryAttributes {
  const userMetadata = Object.fromEntries(Object.entries(metadata).filter(([name]) => !OURS.has(name)));
  return {
    ...attributesOf(metadata, bytes),
    ...(Object.keys(servedAs).length > 0 ? { servedAs } : {}),
    ...(Object.keys(userMetadata).length > 0 ? { userMetadata } : {}),
  };
}

/**
 * What cannot be read as ours is somebody else's, and left out.
 * @param bytes of the object: one with content is no link, whatever its metadata say
 */
export function attributesOf(metadata: Readonly<Record<string, string>>, bytes: number): FileAttributes {
  const { [MODE_METADATA]: mode, [XATTRS_METADATA]: xattrs, [LINK_METADATA]: link } = metadata;
  const modifiedAt = modifiedAtOf(metadata);
  const parsed = xattrs === undefined ? undefined : parseXattrs(xattrs);
  return {
    ...(modifiedAt === undefined ? {} : { modifiedAt }),
    ...(mode !== undefined && /^[0-7]{1,4}$/.test(mode) ? { mode: Number.parseInt(mode, 8) } : {}),
    ...(parsed ? { xattrs: parsed } : {}),
    ...(link === undefined || bytes > 0 ? {} : { linkTarget: Buffer.from(link, 'base64').toString('utf8') }),
  };
}

/** Undefined where it is none, or no instant. */
export function modifiedAtOf({ [MTIME_METADATA]: text }: Readonly<Record<string, string>>): string | undefined {
  return text !== undefined && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d/.test(text) && !Number.isNaN(Date.parse(text)) ? new Date(text).toISOString() : undefined;
}

function parseXattrs(packed: string): Readonly<Record<string, string>> | undefined {
  try {
    const found: unknown = JSON.parse(Buffer.from(packed, 'base64').toString('utf8'));
    if (typeof found !== 'object' || found === null) return undefined;
    return Object.fromEntries(Object.entries(found).filter((pair): pair is [string, string] => typeof pair[1] === 'string'));
  } catch {
    return undefined;
  }
}

const base64 = (text: string): string => Buffer.from(text, 'utf8').toString('base64');
