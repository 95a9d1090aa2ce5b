/** A store whose lock does not work is refused before anything is accepted: it is tried, and its answers are not believed. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { MockActivityEnvironment } from '@temporalio/testing';
import { createAdmissionActivities } from '../../activities/admission.ts';
import { createLockProof, type LockProof } from '../../activities/lock-proof.ts';
import { createS3ObjectStore } from '../../drivers/object-store/s3.ts';
import type { Stores } from '../../drivers/open-site.ts';
import { AllocationRequestSchema } from '../../model/allocation.ts';
import { type Lie, startLyingProxy } from '../support/lying-proxy.ts';
import { storesAt } from '../support/retained.ts';
import { startTestGateway, type TestGateway } from '../support/s3-gateway.ts';

let gateway: TestGateway;
before(async () => {
  gateway = await startTestGateway('cold');
  const { accessKeyId, secretAccessKey } = gateway.options.credentials;
  Object.assign(process.env, { LOCK_PROOF_ID: accessKeyId, LOCK_PROOF_SECRET: secretAccessKey });
});
after(() => gateway.stop());

const proofAt = async (endpoint: string): Promise<LockProof> => createLockProof(await siteAt(endpoint));

async function siteAt(endpoint: string): Promise<Stores> {
  const stores = await storesAt(createS3ObjectStore({ ...gateway.options, endpoint }));
  const credentials = { accessKeyId: 'env:LOCK_PROOF_ID', secretAccessKey: 'env:LOCK_PROOF_SECRET' };
  const { site } = stores;
  return { ...stores, site: { ...site, stores: { ...site.stores, cold: { ...site.stores.cold, endpoint, credentials } } } };
}

async function provenThrough(lie: (method: string, url: string) => Lie | undefined): Promise<void> {
  const proxy = await startLyingProxy(gateway.options.endpoint, lie);
  try {
    await (await proofAt(proxy.endpoint)).demand('COMPLIANCE');
  } finally {
    await proxy.stop();
  }
}

const isRetention = (url: string): boolean => /[?&]retention/.test(url);

describe('a lock', () => {
  it('that works is proven in both modes, and believed for a day', async () => {
    let requests = 0;
    const proxy = await startLyingProxy(gateway.options.endpoint, () => {
      requests += 1;
      return undefined;
    });
    try {
      const proof = await proofAt(proxy.endpoint);
      await proof.demand('GOVERNANCE');
      await Promise.all([proof.demand('COMPLIANCE'), proof.demand('COMPLIANCE')]);
      const before = requests;
      await proof.demand('COMPLIANCE');
      assert.equal(requests, before);
    } finally {
      await proxy.stop();
    }
  });

  it('whose extension is acknowledged without effect is refused', async () => {
    const lie = provenThrough((method, url) => (method === 'PUT' && isRetention(url) ? { status: 200 } : undefined));
    await assert.rejects(lie, { name: 'PolicyRefused', message: /extension has effect: .*cannot be held/ });
  });

  it('under which a deletion succeeds, be it without effect, is refused', async () => {
    const lie = provenThrough((method, url) => (method === 'DELETE' && url.includes('versionId') ? { status: 204 } : undefined));
    await assert.rejects(lie, { name: 'PolicyRefused', message: /deletion refused: a locked version could be deleted/ });
  });

  it('under which a deletion is refused and done all the same is refused', async () => {
    let isDeleted = false;
    const lie = provenThrough((method, url) => {
      if (!url.includes('versionId') || isRetention(url)) return undefined;
      if (method === 'DELETE') isDeleted = true;
      if (method === 'DELETE') return { status: 403, body: '<Error><Code>AccessDenied</Code></Error>' };
      return method === 'GET' && isDeleted ? { status: 404, body: '<Error><Code>NoSuchVersion</Code></Error>' } : undefined;
    });
    await assert.rejects(lie, { name: 'PolicyRefused', message: /deletion refused: refused, and deleted all the same/ });
  });

  it('that is shortened though it was refused is refused', async () => {
    let puts = 0;
    const lie = provenThrough((method, url) => {
      if (!isRetention(url)) return undefined;
      if (method === 'PUT') puts += 1;
      // The first put extends; what follows would shorten.
      if (puts % 2 === 1 || puts === 0) return undefined;
      const until = new Date(Date.now() - 1000).toISOString();
      const body = `<Retention xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Mode>COMPLIANCE</Mode><RetainUntilDate>${until}</RetainUntilDate></Retention>`;
      return method === 'GET' ? { status: 200, body } : undefined;
    });
    await assert.rejects(lie, { name: 'PolicyRefused', message: /shortening refused: refused, and shortened all the same/ });
  });

  it('of a store that does not answer is not refused: it is asked again', async () => {
    await assert.rejects(
      provenThrough(() => ({ status: 500, body: '<Error><Code>InternalError</Code></Error>' })),
      { name: 'StoreUnavailable' },
    );
  });
});

describe('an allocation', () => {
  it('is not admitted where its output could not be locked', async () => {
    const request = AllocationRequestSchema.parse({ tenant: 'acme', project: 'vision', allocationId: 'train', user: 'ada' });
    const admitAt = async (endpoint: string): Promise<unknown> =>
      new MockActivityEnvironment().run(createAdmissionActivities(await siteAt(endpoint)).admit, request);
    assert.ok(await admitAt(gateway.options.endpoint));
    const proxy = await startLyingProxy(gateway.options.endpoint, (method, url) => (method === 'PUT' && isRetention(url) ? { status: 200 } : undefined));
    try {
      await assert.rejects(admitAt(proxy.endpoint), { type: 'PolicyRefused', nonRetryable: true, message: /Nothing was accepted/ });
    } finally {
      await proxy.stop();
    }
  });
});

describe('a store without locks', () => {
  it('is refused with its reason', async () => {
    const lie = provenThrough((method) => (method === 'PUT' ? { status: 501, body: '<Error><Code>NotImplemented</Code></Error>' } : undefined));
    await assert.rejects(lie, { name: 'PolicyRefused', message: /does not keep what is locked.*bucket penstock-doctor.*Nothing was accepted/ });
  });
});
