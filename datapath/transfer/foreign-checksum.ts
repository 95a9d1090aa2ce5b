/**
 * The checksums that others keep of a whole object where they keep no CRC32C: S3 writes each as its bytes, big-endian, in base64. They are computed only of an object that has one
 * on record, to be held to it; what travels with the bytes is the CRC32C.
 */
import { createHash } from 'node:crypto';
import { Crc64Nvme } from '@aws-sdk/checksums/crc';
import { crc32 } from '@node-rs/crc32';
import { encodeCrc32c } from './crc32c.ts';

/** The dearest last: of several on record, the first is believed. */
export const FOREIGN_ALGORITHMS = ['CRC32', 'SHA256', 'SHA1', 'CRC64NVME'] as const;
export type ForeignAlgorithm = (typeof FOREIGN_ALGORITHMS)[number];
/** Of pieces that were read in any order, these make the checksum of the whole. */
export type CombinedAlgorithm = Extract<ForeignAlgorithm, 'CRC32' | 'CRC64NVME'>;

export interface ForeignChecksum {
  readonly algorithm: ForeignAlgorithm;
  /** Base64. */
  readonly value: string;
}

export interface ForeignMeter {
  add(chunk: Uint8Array): void;
  /** Base64. */
  value(): Promise<string>;
}

export const isCombined = (algorithm: ForeignAlgorithm): algorithm is CombinedAlgorithm => algorithm === 'CRC32' || algorithm === 'CRC64NVME';

export function createForeignMeter(algorithm: ForeignAlgorithm): ForeignMeter {
  switch (algorithm) {
    case 'CRC32': {
      let value = 0;
      return {
        add(chunk) {
          value = crc32(chunk, value);
        },
        value: () => Promise.resolve(encodeCrc32c(value)),
      };
    }
    case 'CRC64NVME': {
      const crc = new Crc64Nvme();
      return { add: (chunk) => crc.update(chunk), value: async () => Buffer.from(await crc.digest()).toString('base64') };
    }
    case 'SHA1':
    case 'SHA256': {
      const hash = createHash(algorithm);
      return { add: (chunk) => void hash.update(chunk), value: () => Promise.resolve(hash.digest('base64')) };
    }
  }
}

export function foreignOf(algorithm: ForeignAlgorithm, bytes: Uint8Array): Promise<string> {
  const meter = createForeignMeter(algorithm);
  meter.add(bytes);
  return meter.value();
}
