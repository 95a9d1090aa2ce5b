/**
 * Signature Version 4 in headers, for the few requests of the bulk path. The body is not signed: its CRC32C is, in a header of its own, which
 * protects against accidents; against an attacker only TLS does.
 */
import { hash } from 'node:crypto';
import { createHmacSha256, type Hmac } from './hmac.ts';

/** Lower-case name and value; the value in ASCII. */
export type Header = readonly [name: string, value: string];

export interface SigningCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string | undefined;
}

export interface SignableRequest {
  readonly method: string;
  /** Encoded, see uri.ts. */
  readonly path: string;
  /** Encoded and in order of its names, without the `?`; '' where there is none. */
  readonly query: string;
  /** In any order; host, date, content hash and token are added here, all are signed. */
  readonly headers: readonly Header[];
  readonly contentSha256: string;
}

export interface Signer {
  /** @param timeMs the store's time @returns the request line and the headers, each line ended, without the empty line behind them */
  head(request: SignableRequest, credentials: SigningCredentials, timeMs: number): string;
}

const ALGORITHM = 'AWS4-HMAC-SHA256';

/** @param host as the Host header has it, with a port that is not the scheme's own */
export function createSigner(host: string, region: string, service = 's3'): Signer {
  const clock = createAmzClock();
  let keyOf: { readonly secret: string; readonly day: string; readonly hmac: Hmac } | undefined;
  const signingKey = (secret: string, day: string): Hmac => {
    if (keyOf?.secret !== secret || keyOf.day !== day) keyOf = { secret, day, hmac: deriveKey(secret, day, region, service) };
    return keyOf.hmac;
  };

  return {
    head({ method, path, query, headers, contentSha256 }, { accessKeyId, secretAccessKey, sessionToken }, timeMs) {
      const time = clock(timeMs);
      const day = time.slice(0, 8);
      const all: Header[] = [...headers, ['host', host], ['x-amz-content-sha256', contentSha256], ['x-amz-date', time]];
      if (sessionToken !== undefined) all.push(['x-amz-security-token', sessionToken]);
      all.sort(byName);
      let canonical = '';
      let names = '';
      let wire = '';
      for (const [name, value] of all) {
        canonical += `${name}:${collapsed(value)}\n`;
        names += names === '' ? name : `;${name}`;
        wire += `${name}: ${value}\r\n`;
      }
      const scope = `${day}/${region}/${service}/aws4_request`;
      const digest = hash('sha256', `${method}\n${path}\n${query}\n${canonical}\n${names}\n${contentSha256}`, 'hex');
      const signature = signingKey(secretAccessKey, day).hex(`${ALGORITHM}\n${time}\n${scope}\n${digest}`);
      const target = query === '' ? path : `${path}?${query}`;
      return `${method} ${target} HTTP/1.1\r\n${wire}authorization: ${ALGORITHM} Credential=${accessKeyId}/${scope}, SignedHeaders=${names}, Signature=${signature}\r\n`;
    },
  };
}

function deriveKey(secret: string, day: string, region: string, service: string): Hmac {
  let hmac = createHmacSha256(Buffer.from(`AWS4${secret}`));
  for (const step of [day, region, service, 'aws4_request']) hmac = createHmacSha256(hmac.bytes(step));
  return hmac;
}

/** `20261121T120000Z`, made once per second. */
function createAmzClock(): (timeMs: number) => string {
  let second = Number.NaN;
  let text = '';
  return (timeMs) => {
    const now = Math.floor(timeMs / 1000);
    if (now !== second) {
      second = now;
      text = new Date(now * 1000).toISOString().replace(/[:-]|\.\d{3}/g, '');
    }
    return text;
  };
}

const byName = (left: Header, right: Header): number => (left[0] < right[0] ? -1 : 1);
const collapsed = (value: string): string => (value.includes('  ') || value.startsWith(' ') || value.endsWith(' ') ? value.trim().replace(/ +/g, ' ') : value);
