/**
 * `node bench/manifest/ours.ts write ENTRIES` writes a generated manifest and prints its reference; `read REFERENCE` reads it back, whole. The store is the
 * S3 endpoint of the environment. A process each, so that each has a peak of memory of its own.
 */
import { readManifest, writeManifest } from '../../datapath/transfer/manifest-store.ts';
import { ManifestRefSchema } from '../../model/manifest.ts';
import { storeOfEnvironment } from '../harness/store.ts';
import { generateEntries } from './names.ts';

const [phase, input = ''] = process.argv.slice(2);
const store = storeOfEnvironment('bench', process.env['AWS_ENDPOINT_URL'] ?? '');

switch (phase) {
  case 'write': {
    const ref = await writeManifest({ store, storeName: 'bench', bucket: 'bench', prefix: 'manifest/', entries: generateEntries(Number(input)) });
    process.stdout.write(JSON.stringify(ref));
    break;
  }
  case 'read': {
    const ref = ManifestRefSchema.parse(JSON.parse(input));
    let entries = 0;
    for await (const _ of readManifest(store, ref)) entries += 1;
    if (entries !== ref.files) throw new Error(`${entries} entries read, ${ref.files} written`);
    break;
  }
  default:
    throw new Error('usage: ours.ts write ENTRIES | read REFERENCE');
}
