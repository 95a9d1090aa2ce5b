/**
 * `node bench/manifest/ours.ts write ENTRIES` writes a generated manifest and prints its reference; `read REFERENCE` reads it back, whole. The store is the
 * S3 endpoint of the environment. A process each, so that each has a peak of memory of its own.
 */
import { z } from 'zod';
import { readManifest, writeManifest } from '../../datapath/transfer/manifest-store.ts';
import { createS3ObjectStore } from '../../drivers/object-store/s3.ts';
import type { ManifestRef } from '../../model/manifest.ts';
import { generateEntries } from './names.ts';

const refSchema = z.object({
  store: z.string(),
  bucket: z.string(),
  prefix: z.string(),
  pages: z.int(),
  files: z.int(),
  bytes: z.int(),
  digest: z.string(),
});
const [phase, input = ''] = process.argv.slice(2);
const store = createS3ObjectStore({
  name: 'bench',
  endpoint: process.env['AWS_ENDPOINT_URL'] ?? '',
  region: process.env['AWS_REGION'] ?? '',
  credentials: { accessKeyId: process.env['AWS_ACCESS_KEY_ID'] ?? '', secretAccessKey: process.env['AWS_SECRET_ACCESS_KEY'] ?? '' },
});

switch (phase) {
  case 'write': {
    const ref = await writeManifest({ store, storeName: 'bench', bucket: 'bench', prefix: 'manifest/', entries: generateEntries(Number(input)) });
    process.stdout.write(JSON.stringify(ref));
    break;
  }
  case 'read': {
    const ref: ManifestRef = refSchema.parse(JSON.parse(input));
    let entries = 0;
    for await (const _ of readManifest(store, ref)) entries += 1;
    if (entries !== ref.files) throw new Error(`${entries} entries read, ${ref.files} written`);
    break;
  }
  default:
    throw new Error('usage: ours.ts write ENTRIES | read REFERENCE');
}
