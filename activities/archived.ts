/** Output in an archive class: what of it must be there is asked of the store, not read, for reading would cost a restore. */
import { holderOf } from '../datapath/packs/archived-endpoint.ts';
import { inLanes } from '../datapath/transfer/lanes.ts';
import { readManifest, readManifestPage, writeManifest } from '../datapath/transfer/manifest-store.ts';
import type { ColdTier } from '../drivers/cold-tier/port.ts';
import { withWriteDefaults } from '../drivers/cold-tier/write-defaults.ts';
import type { ObjectFacts } from '../drivers/object-store/port.ts';
import type { Stores } from '../drivers/open-site.ts';
import { PenstockError } from '../model/errors.ts';
import { formatLocation, type Location } from '../model/location.ts';
import type { ManifestEntry, ManifestRef } from '../model/manifest.ts';
import { CATALOG_PREFIX } from '../model/output-record.ts';
import type { TransferRequest } from '../model/transfer.ts';
import { effect } from './effect.ts';
import { objectsOf } from './places.ts';

const OBJECTS_AT_ONCE = 16;

export interface ArchivedOutput {
  /** What was to be moved. */
  readonly manifest: ManifestRef;
  /** What arrived, with where it lies. */
  readonly moved: ManifestRef;
  readonly target: Location;
  readonly retention?: TransferRequest['retention'];
}

export type ArchivedActivities = ReturnType<typeof createArchivedActivities>;

export function createArchivedActivities(stores: Stores) {
  return {
    /**
     * Every pack and object is there with the length and the checksum that the store computed of what came in. CorruptSource where one is not. PolicyRefused where the store took
     * the class and does not archive.
     */
    verifyArchived: ({ manifest, moved, target }: ArchivedOutput): Promise<void> =>
      effect(async (run) => {
        if (moved.files !== manifest.files) throw notArchived(target, `${moved.files} of ${manifest.files} files arrived`);
        const store = objectsOf(stores, target.store);
        for (let page = 0; page < moved.pages; page += 1) {
          const holders = new Map((await readManifestPage(stores.warm, moved, page, run.signal)).map((entry) => [holderOf(entry), entry]));
          await inLanes(holders, OBJECTS_AT_ONCE, async ([key, entry]) => {
            const held = await store.head(target.bucket, `${target.prefix}${key}`, { signal: run.signal });
            const fault = held ? faultOf(entry, held) : 'is missing';
            if (fault) throw notArchived(target, `${key} ${fault}`);
          });
          const [one] = holders.keys();
          if (one !== undefined) await demandArchived(stores.coldTier, target, one, run.signal);
          run.report({ page: page + 1, pages: moved.pages });
        }
      }),

    /** Beside the output, readable at once and locked as it is: what lies where, so that one file is found without a restore. A repeat writes the same. */
    writeCatalog: ({ moved, target, retention }: Omit<ArchivedOutput, 'manifest'>): Promise<ManifestRef> =>
      effect((run) =>
        writeManifest({
          store: withWriteDefaults(objectsOf(stores, target.store), retention ? { retention } : {}),
          storeName: target.store,
          bucket: target.bucket,
          prefix: `${target.prefix}${CATALOG_PREFIX}`,
          entries: readManifest(stores.warm, moved, run.signal),
          signal: run.signal,
          onPage: run.report,
        }),
      ),
  };
}

/** Of a pack the etag is the version that was written, and was proven then; of an object there must be a checksum to compare, for its source goes next. */
function faultOf({ bytes, crc32c, foreign, etag, packed }: ManifestEntry, held: Pick<ObjectFacts, 'bytes' | 'etag' | 'crc32c' | 'foreign'>) {
  const wanted = packed?.bytes ?? bytes;
  if (held.bytes !== wanted) return `has ${held.bytes} bytes, ${wanted} were written`;
  if (packed) return held.etag === etag ? undefined : `is another version, ${held.etag}, than the one written, ${etag}`;
  if (bytes === 0) return undefined; // its length is all of it
  if (crc32c !== undefined && held.crc32c !== undefined) return held.crc32c === crc32c ? undefined : `has CRC32C ${held.crc32c}, ${crc32c} was written`;
  const { algorithm, value } = foreign ?? {};
  if (algorithm === undefined || held.foreign?.algorithm !== algorithm) return 'has no checksum on record that could be compared with what was read';
  return held.foreign.value === value ? undefined : `has ${algorithm} ${held.foreign.value}, ${value} was written`;
}

/** By one of a page: a class that is accepted and ignored is ignored for all. */
async function demandArchived(tier: ColdTier, { bucket, prefix }: Location, key: string, signal: AbortSignal): Promise<void> {
  const state = await tier.state(bucket, `${prefix}${key}`, { signal });
  if (state?.kind !== 'readable') return;
  throw new PenstockError('PolicyRefused', `s3://${bucket}/${prefix}${key} was stored, but not in the archive class of the site file.`, {
    store: tier.name,
    nextStep: 'The source is kept; run `penstock doctor` to see what the store can do, or leave stores.cold.archive out.',
  });
}

const notArchived = (target: Location, why: string): PenstockError =>
  new PenstockError('CorruptSource', `${formatLocation(target)}: ${why}.`, { store: target.store, nextStep: 'The source is kept; look at the store.' });
