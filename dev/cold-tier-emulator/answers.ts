/** What S3 says in its own words: errors as XML, and the headers of an archived object. */
import type { ServerResponse } from 'node:http';
import type { Archived } from './state.ts';

export class S3Refusal extends Error {
  readonly status: number;
  readonly code: string;
  readonly details: Readonly<Record<string, string>>;

  constructor(status: number, code: string, message: string, details: Readonly<Record<string, string>> = {}) {
    super(message);
    this.status = status;
    this.code = code;
    this.details = details;
  }
}

export const invalidObjectState = ({ storageClass }: Archived): S3Refusal =>
  new S3Refusal(403, 'InvalidObjectState', "The operation is not valid for the object's storage class", { StorageClass: storageClass });

/** @param hasBody false for the answer to a HEAD */
export function refuse(response: ServerResponse, refusal: S3Refusal, hasBody: boolean): void {
  const fields = Object.entries({ Code: refusal.code, Message: refusal.message, ...refusal.details });
  const xml = `<?xml version="1.0" encoding="UTF-8"?>\n<Error>${fields.map(([name, value]) => `<${name}>${escapeXml(value)}</${name}>`).join('')}</Error>`;
  response.writeHead(refusal.status, { 'content-type': 'application/xml', 'content-length': Buffer.byteLength(xml) });
  response.end(hasBody ? xml : undefined);
}

/** `archived` also where a restored copy has expired: S3 then has no x-amz-restore, as if nobody had asked. */
export function phaseOf({ restore }: Archived, now: number): 'archived' | 'restoring' | 'restored' {
  if (!restore || restore.until <= now) return 'archived';
  return restore.readyAt > now ? 'restoring' : 'restored';
}

/** Of HEAD, and of GET where it is answered. */
export function archiveHeaders(archived: Archived, now: number): Record<string, string> {
  const phase = phaseOf(archived, now);
  const until = new Date(archived.restore?.until ?? 0).toUTCString();
  return {
    'x-amz-storage-class': archived.storageClass,
    ...(phase === 'restoring' ? { 'x-amz-restore': 'ongoing-request="true"' } : {}),
    ...(phase === 'restored' ? { 'x-amz-restore': `ongoing-request="false", expiry-date="${until}"` } : {}),
  };
}

const ENTITIES: Readonly<Record<string, string>> = { '<': '&lt;', '>': '&gt;', '&': '&amp;', '"': '&quot;' };
const escapeXml = (text: string): string => text.replace(/[<>&"]/g, (character) => ENTITIES[character] ?? '');
