/** A pack that lies in the erasure set, read in ranges: only the cells that a range touches. */
import { Readable } from 'node:stream';
import { PenstockError } from '../../model/errors.ts';
import { findErasureObject } from './find.ts';
import type { Finding } from './findings.ts';
import type { PackBytes } from './pack-reader.ts';
import { type ReadErasureObject, readErasureObject } from './reader.ts';

export interface PackObject extends PackBytes {
  /** What its reads found wrong so far. */
  findings(): readonly Finding[];
}

/** NotFound where there is no such object. Its manifest is looked for once. */
export async function openPackObject(request: Omit<ReadErasureObject, 'range'>): Promise<PackObject> {
  const manifest = request.manifest ?? (await findErasureObject(request));
  if (!manifest) throw new PenstockError('NotFound', `the erasure set has no pack ${JSON.stringify(request.key)}.`);
  const found: (readonly Finding[])[] = [];
  return {
    bytes: manifest.bytes,
    async read(start, bytes) {
      if (bytes === 0) return Readable.from([]);
      const reading = await readErasureObject({ ...request, manifest, range: { start, end: start + bytes - 1 } });
      found.push(reading.findings);
      return reading.content;
    },
    findings: () => found.flat(),
  };
}
