/** What a request is about, read off its first line and headers. */
import type { IncomingMessage } from 'node:http';
import { S3Refusal } from './answers.ts';
import type { Archived, ObjectName } from './state.ts';

/** Query names that leave GET, HEAD, PUT and DELETE what they are: about the object itself. */
const PLAIN = /^(versionId|x-id|partNumber|response-[\w-]+|X-Amz-[\w-]+)$/i;
const KNOWN_CLASSES = ['STANDARD', 'STANDARD_IA', 'ONEZONE_IA', 'REDUCED_REDUNDANCY', 'INTELLIGENT_TIERING', 'GLACIER_IR', 'GLACIER', 'DEEP_ARCHIVE'];

export interface S3Request {
  readonly method: string;
  /** Path style; the version is empty where none is named. */
  readonly name: ObjectName;
  readonly query: URLSearchParams;
  /** About the object itself, not its retention, its tags or an upload. */
  readonly isPlain: boolean;
}

/** @throws S3Refusal where the path is no URL's */
export function parseRequest({ method = '', url = '/' }: IncomingMessage): S3Request {
  const { pathname, searchParams: query } = new URL(url, 'http://emulator');
  return {
    method,
    name: { ...nameIn(pathname.slice(1)), versionId: versionOf(query.get('versionId')) },
    query,
    isPlain: [...query.keys()].every((name) => PLAIN.test(name)),
  };
}

function nameIn(path: string): Pick<ObjectName, 'bucket' | 'key'> {
  try {
    const [bucket = '', ...key] = path.split('/');
    return { bucket, key: decodeURIComponent(key.join('/')) };
  } catch {
    throw new S3Refusal(400, 'InvalidURI', "Couldn't parse the specified URI.");
  }
}

/** What `x-amz-copy-source` names; undefined where there is none. */
export function copySourceOf({ headers }: IncomingMessage): ObjectName | undefined {
  const source = headers['x-amz-copy-source'];
  if (typeof source !== 'string') return undefined;
  const [path = '', query = ''] = source.replace(/^\//, '').split('?');
  return { ...nameIn(decodeURI(path)), versionId: versionOf(new URLSearchParams(query).get('versionId')) };
}

/** @throws S3Refusal InvalidStorageClass */
export function storageClassOf({ headers }: IncomingMessage): string {
  const { 'x-amz-storage-class': named = 'STANDARD' } = headers;
  if (typeof named === 'string' && KNOWN_CLASSES.includes(named)) return named;
  throw new S3Refusal(400, 'InvalidStorageClass', 'The storage class you specified is not valid');
}

export const isArchiveClass = (storageClass: string | undefined): storageClass is Archived['storageClass'] =>
  storageClass === 'GLACIER' || storageClass === 'DEEP_ARCHIVE';

export const versionOf = (id: string | string[] | null | undefined): string => (typeof id === 'string' && id !== 'null' ? id : '');
