/** The SDK's client as Penstock uses it: path style, our own CRC32C instead of the SDK's, few retries, bounded sockets. */
import type { SecureContext } from 'node:tls';
import { S3Client } from '@aws-sdk/client-s3';
import { trustAlso } from './raw/endpoint.ts';

export interface S3StoreOptions {
  /** The store's name in the site file; it begins every error. */
  readonly name: string;
  readonly endpoint: string;
  readonly region: string;
  readonly credentials: S3Credentials;
  /** Default {@link DEFAULT_MAX_SOCKETS}. */
  readonly maxSockets?: number;
  /** An authority of the site's own, in PEM, trusted beside those Node trusts (NODE_EXTRA_CA_CERTS included). */
  readonly ca?: string;
}
export interface S3Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

/** A transfer runs 8 entries of 2 parts, both ends may be one store: 32, and as many again for control calls. */
export const DEFAULT_MAX_SOCKETS = 64;

/** A listener answers within a second or is down. */
const CONNECTION_TIMEOUT_MS = 5_000;

/** Silence, not slowness: completing a large multipart upload is quiet for as long as the store joins its parts. */
const SILENCE_TIMEOUT_MS = 120_000;

/** Temporal retries activities; a second layer of retries would multiply with it. One repeat covers a connection that idled out. */
const MAX_ATTEMPTS = 2;

export function createS3Client(options: S3StoreOptions): S3Client {
  const sockets = { keepAlive: true, maxSockets: options.maxSockets ?? DEFAULT_MAX_SOCKETS };
  const secureContext = secureContextOf(options);
  const client = new S3Client({
    endpoint: options.endpoint,
    region: options.region,
    credentials: options.credentials,
    forcePathStyle: true,
    // The SDK's defaults compute CRC32 in JavaScript over every byte; we send and check CRC32C ourselves, several times faster.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    maxAttempts: MAX_ATTEMPTS,
    requestHandler: {
      httpAgent: sockets,
      httpsAgent: { ...sockets, ...(secureContext ? { secureContext } : {}) },
      connectionTimeout: CONNECTION_TIMEOUT_MS,
      socketTimeout: SILENCE_TIMEOUT_MS,
    },
  });
  setBulkHeaders(client);
  return client;
}

/** Undefined where Node's own trust serves. */
export function secureContextOf({ ca }: S3StoreOptions): SecureContext | undefined {
  return ca === undefined ? undefined : trustAlso(ca);
}

/**
 * Two headers the SDK would only send together with work we do better. UNSIGNED-PAYLOAD: over plain HTTP it signs a SHA-256 of every body, half
 * of an upload's CPU time; the CRC32C sent along protects against accidents already, and against an attacker only TLS
 * does. Checksum mode: asked by its own option, it checks in JavaScript what we check natively; asked here, it only passes the answer on.
 */
function setBulkHeaders(client: S3Client): void {
  client.middlewareStack.add(
    (next, context) => (args) => {
      const command: unknown = context['commandName'];
      if (command === 'PutObjectCommand' || command === 'UploadPartCommand') setHeader(args.request, 'x-amz-content-sha256', 'UNSIGNED-PAYLOAD');
      if (command === 'GetObjectCommand') setHeader(args.request, 'x-amz-checksum-mode', 'ENABLED');
      return next(args);
    },
    { step: 'build', name: 'setBulkHeaders' },
  );
}

function setHeader(request: unknown, name: string, value: string): void {
  if (typeof request !== 'object' || request === null || !('headers' in request)) return;
  if (typeof request.headers === 'object' && request.headers !== null) Reflect.set(request.headers, name, value);
}
