/** What is archived is not read back: what the store says of it must prove it, or the source stays. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { MockActivityEnvironment } from '@temporalio/testing';
import { createArchivedActivities } from '../../../activities/archived.ts';
import { writeManifest } from '../../../datapath/transfer/manifest-store.ts';
import type { ObjectFacts } from '../../../drivers/object-store/port.ts';
import { SYSTEM_BUCKET } from '../../../model/location.ts';
import type { ManifestEntry } from '../../../model/manifest.ts';
import { recordsInMemory } from './records-in-memory.ts';

const PREFIX = 'vision/train/';
const entry: ManifestEntry = { path: 'weights.bin', bytes: 5, modifiedAt: '2026-11-22T00:00:00.000Z', etag: 'source', crc32c: 'yZRlqg==' };
const sha256 = (value: string) => ({ algorithm: 'SHA256', value }) as const;

type Held = Pick<ObjectFacts, 'bytes' | 'etag' | 'crc32c' | 'foreign'>;
const whole: Held = { bytes: 5, etag: 'stored', crc32c: 'yZRlqg==' };
const { crc32c: _unknown, ...unsummed } = entry;

/** @param held what the cold store says of whatever it is asked for */
async function verify(moved: ManifestEntry, held: Held | undefined, isArchiving = true): Promise<void> {
  const { stores } = await recordsInMemory();
  const facts = held && { key: '', modifiedAt: entry.modifiedAt, versionId: undefined, metadata: {}, servedAs: {}, ...held };
  const coldTier: typeof stores.coldTier = {
    ...stores.coldTier,
    state: async () => (isArchiving ? { kind: 'archived', storageClass: 'GLACIER' } : { kind: 'readable' }),
  };
  const manifest = await writeManifest({ store: stores.warm, storeName: 'warm', bucket: SYSTEM_BUCKET, prefix: 'manifests/a/', entries: [moved] });
  const { verifyArchived } = createArchivedActivities({ ...stores, cold: { ...stores.cold, head: async () => facts }, coldTier });
  const target = { store: 'cold', bucket: 'acme', prefix: PREFIX };
  await new MockActivityEnvironment().run(() => verifyArchived({ manifest, moved: manifest, target }));
}

const refused = (what: RegExp) => ({ type: 'CorruptSource', message: what });

describe('an archived object', () => {
  it('is whole by its length and the checksum that its store computed', async () => {
    await verify(entry, whole);
    await verify({ ...unsummed, foreign: sha256('a') }, { bytes: 5, etag: 'stored', crc32c: undefined, foreign: sha256('a') });
    await verify({ ...unsummed, path: 'empty', bytes: 0 }, { bytes: 0, etag: 'stored', crc32c: undefined });
  });

  it('is not where it is missing, of another length or checksum', async () => {
    await assert.rejects(verify(entry, undefined), refused(/weights.bin is missing.*The source is kept/));
    await assert.rejects(verify(entry, { ...whole, bytes: 4 }), refused(/has 4 bytes, 5 were written/));
    await assert.rejects(verify(entry, { ...whole, crc32c: 'AAAAAA==' }), refused(/has CRC32C AAAAAA==, yZRlqg== was written/));
    const foreign = { bytes: 5, etag: 'stored', crc32c: undefined, foreign: sha256('b') };
    await assert.rejects(verify({ ...unsummed, foreign: sha256('a') }, foreign), refused(/has SHA256 b, a was written/));
  });

  it('is not by its length alone: without a checksum on either side nothing is proven', async () => {
    const unproven = refused(/has no checksum on record that could be compared/);
    await assert.rejects(verify(entry, { ...whole, crc32c: undefined }), unproven);
    await assert.rejects(verify(unsummed, whole), unproven);
    await assert.rejects(verify({ ...unsummed, foreign: sha256('a') }, { ...whole, crc32c: undefined }), unproven);
  });

  it('is not where its store took the class and does not archive', async () => {
    await assert.rejects(verify(entry, whole, false), { type: 'PolicyRefused', message: /not in the archive class/ });
  });
});

describe('an archived pack', () => {
  const packed = { key: '.penstock/packs/p.tar', offset: 2048, bytes: 9000 };

  it('is the version that was written', async () => {
    await verify({ ...entry, etag: 'pack', packed }, { bytes: 9000, etag: 'pack', crc32c: 'x' });
    await assert.rejects(verify({ ...entry, etag: 'pack', packed }, { bytes: 9000, etag: 'other', crc32c: 'x' }), refused(/another version, other/));
  });
});
