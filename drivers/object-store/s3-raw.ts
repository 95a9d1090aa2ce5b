/** The raw path of a store, signing with the very credentials and clock of the SDK's client. */
import type { S3Client } from '@aws-sdk/client-s3';
import { createEndpoint } from './raw/endpoint.ts';
import { createRawTransport, type RawTransport } from './raw/transport.ts';
import { DEFAULT_MAX_SOCKETS, type S3StoreOptions, secureContextOf } from './s3-client.ts';

export function createRawPath({ config }: S3Client, options: S3StoreOptions): RawTransport {
  const identity = {
    region: options.region,
    credentials: () => config.credentials(),
    clockOffsetMs: () => config.systemClockOffset,
    setClockOffsetMs: (offset: number) => {
      config.systemClockOffset = offset;
    },
  };
  return createRawTransport(createEndpoint(options.endpoint, secureContextOf(options)), identity, options.maxSockets ?? DEFAULT_MAX_SOCKETS);
}
