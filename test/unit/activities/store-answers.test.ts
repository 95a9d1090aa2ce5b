/** What counts as an answer of a store, and what as silence. */
import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { requireAnswer } from '../../../activities/store-answers.ts';
import type { Stores } from '../../../drivers/open-site.ts';
import { loadSiteFile } from '../../../drivers/site-file.ts';
import { type ErrorType, PenstockError } from '../../../model/errors.ts';
import type { Site } from '../../../model/site.ts';
import { recordingStores } from '../cli/recording-stores.ts';
import { siteFile } from '../cli/support.ts';
import { failAll, memorySite } from '../datapath/erasure/support.ts';

describe('a store answers', () => {
  let site: Site;
  before(async () => {
    site = await loadSiteFile(siteFile);
  });
  const storesWith = (parts: Partial<Stores> = {}): Stores => ({ ...recordingStores(site).stores, ...parts });
  const { signal } = new AbortController();
  const failing = (type: ErrorType): Stores => {
    const stores = storesWith();
    return { ...stores, warm: { ...stores.warm, list: () => Promise.reject(new PenstockError(type, 'so it is.', { store: 'warm' })) } };
  };
  const isSilent = (message: RegExp) => (error: unknown) => error instanceof PenstockError && error.type === 'StoreUnavailable' && message.test(error.message);

  it('where it lists, tells its free space, or has as many racks as a write needs', async () => {
    const racks = memorySite();
    for (const rack of racks.slice(0, 4)) failAll(rack);
    for (const store of ['hot', 'warm', 'cold', 'racks']) await requireAnswer(storesWith({ shardRacks: racks }), store, signal);
  });

  it('also where it refuses, or is asked to come more slowly', async () => {
    for (const type of ['Denied', 'NotFound', 'StoreThrottled'] as const) await requireAnswer(failing(type), 'warm', signal);
  });

  it('not where it cannot be reached or fails, nor where fewer racks answer, and it says which', async () => {
    for (const type of ['StoreUnavailable', 'IoError'] as const)
      await assert.rejects(requireAnswer(failing(type), 'warm', signal), isSilent(/^warm: so it is\./));
    const racks = memorySite();
    for (const rack of racks.slice(0, 5)) failAll(rack);
    await assert.rejects(
      requireAnswer(storesWith({ shardRacks: racks }), 'racks', signal),
      isSilent(/15 of 20 racks answer, a write needs 16; silent: r01, .*the rack is down/),
    );
  });

  it('and what the site has not is no store', async () => {
    await assert.rejects(requireAnswer(storesWith(), 'nowhere', signal), { type: 'InvalidInput', message: /accepted: hot, warm, cold/ });
  });
});
