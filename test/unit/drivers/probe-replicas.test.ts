import assert from 'node:assert/strict';
import { test } from 'node:test';
import { doctorText, isShortfall } from '../../../cli/views/doctor.ts';
import { probeReplicas } from '../../../drivers/probes/replicas.ts';
import { loadSiteFile } from '../../../drivers/site-file.ts';
import { ReplicaSchema } from '../../../model/erasure-set.ts';
import { PenstockError } from '../../../model/errors.ts';
import { secondSet } from '../../support/replica.ts';
import { siteFile } from '../cli/support.ts';
import { failAll, memorySite } from '../datapath/erasure/support.ts';

async function siteWith(checkpoints: boolean) {
  const site = await loadSiteFile(siteFile);
  return { ...site, erasureSet: { ...site.erasureSet, replicas: { bern: ReplicaSchema.parse(secondSet('bern', { checkpoints })) } } };
}

test('a copy’s racks are tried as the site’s own, and are needed where checkpoints go there by themselves', async () => {
  const racks = memorySite(18);
  const probe = async (checkpoints: boolean) => probeReplicas({ site: await siteWith(checkpoints), replicaRacks: () => Promise.resolve(racks) }, 'run');
  const good = await probe(true);
  assert.equal(good.length, 18);
  assert.ok(good.every(({ works, store }) => works === 'yes' && store.startsWith('replica bern, rack ')));
  assert.match(
    doctorText(good, (_color, text) => text),
    /replica bern: all 18/,
  );
  assert.ok(racks.every(({ objects }) => objects.size === 0));

  const [away] = racks;
  assert.ok(away);
  failAll(away);
  assert.equal((await probe(true)).filter(isShortfall).length, 1);
  assert.equal((await probe(false)).filter(isShortfall).length, 0);
});

test('a copy that may not be opened says why', async () => {
  const replicaRacks = () => Promise.reject(new PenstockError('PolicyRefused', 'replica bern lies in us; copies may lie in ch.'));
  const [result, ...rest] = await probeReplicas({ site: await siteWith(true), replicaRacks }, 'run');
  assert.deepEqual([rest.length, result?.works, result?.isNeeded, result?.evidence], [0, 'no', true, 'replica bern lies in us; copies may lie in ch.']);
});
