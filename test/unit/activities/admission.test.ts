/** What no allocation may be called. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { planAllocation } from '../../../activities/admission.ts';
import { loadSiteFile } from '../../../drivers/site-file.ts';
import { AllocationRequestSchema } from '../../../model/allocation.ts';

test("a tenant is refused that would own a bucket of the site's own, such as the audit log's", async () => {
  const site = await loadSiteFile('temporal-dev.yaml');
  const request = (tenant: string) => AllocationRequestSchema.parse({ tenant, project: 'audit', allocationId: 'embedded', user: 'eve' });
  for (const tenant of ['penstock-audit', 'penstock-system', 'training-data', 'rack-r01'])
    assert.throws(() => planAllocation(request(tenant), site, new Date()), { name: 'InvalidInput', message: /one of the site's own buckets/ }, tenant);
  assert.ok(planAllocation(request('acme'), site, new Date()).data);
});
