/** What must hold of a site once it is up again. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { listCheckpoints, restoreCheckpoint } from '../../../client/checkpoint/index.ts';
import { openNodeRing, requireNode } from '../../../client/checkpoint/node.ts';
import type { AllocationKey } from '../../../client/index.ts';
import { ringCopies } from '../../../datapath/checkpoint/ring-copies.ts';
import { scanRing } from '../../../datapath/checkpoint/ring-scan.ts';
import { type CheckpointKey, checkpointDirectory, globalCheckpointDirectory, ringKey } from '../../../model/checkpoint.ts';
import { digestsOf, sorted, treeDigests } from '../../support/facts.ts';
import { NODE } from '../../support/scenario.ts';
import type { TestSite } from '../../support/site.ts';
import { eventually } from '../../support/wait.ts';
import { type Ledger, verifyChunks, verifyRing } from '../checkpoint/verify.ts';
import { siteFilesOf } from './files.ts';

const { nodeId, rackId } = NODE;
const { signal } = new AbortController();

/** What nobody may drain lies where it was acknowledged, and the ring counts on nothing damaged. */
export async function verifyUndrained(site: TestSite, key: AllocationKey, checkpointId: string, { chunks, commit }: Ledger): Promise<void> {
  const device = await openNodeRing(site.stores, requireNode(site.stores, nodeId), 'read');
  try {
    const entries = (await scanRing(device))?.entries ?? [];
    const ring = { device, entries, copies: await ringCopies(device, entries) };
    await verifyRing(ring);
    if (commit === 'acknowledged') return;
    const whole = { ...key, checkpointId };
    const rack = [site.stores.rackFiles(rackId, nodeId), checkpointDirectory(key, checkpointId)] as const;
    const global = [site.stores.hotFiles, globalCheckpointDirectory(whole)] as const;
    await verifyChunks({ ring, key: ringKey(whole), rack, global }, chunks);
  } finally {
    await device.close();
  }
}

/** Nobody holds bandwidth, and nobody waits for it: the dead have lost theirs, and who came after them is done. */
export async function verifyWindows({ penstock }: TestSite, fabric: string): Promise<void> {
  await eventually('every window to be free', async () => {
    const { classes } = await penstock.brokers.show(fabric);
    return classes.every(({ holding, waiting }) => holding + waiting === 0) || undefined;
  });
}

/** What was acknowledged is in the erasure set and comes back from there and from the nearest copy; what was not begun is offered by nobody. */
export async function verifyOffers(site: TestSite, key: AllocationKey, seed: number, commits: Readonly<Record<string, Ledger['commit']>>): Promise<void> {
  const { checkpoints, faults } = await listCheckpoints(site.stores, { allocation: key, nodeId, signal });
  assert.deepEqual(faults, []);
  for (const [checkpointId, commit] of Object.entries(commits)) {
    const offered = checkpoints.find((each) => each.checkpointId === checkpointId);
    if (commit === 'no') assert.equal(offered, undefined, `${checkpointId} was never committed and is offered by ${offered?.copies.join(', ')}`);
    if (commit === 'acknowledged') assert.ok(offered?.copies.includes('erasure set'), `${checkpointId} was acknowledged and is not in the erasure set`);
    if (offered) await verifyNearest(site, { ...key, checkpointId }, seed);
    if (commit === 'acknowledged') await verifyDrained(site, { ...key, checkpointId }, seed);
  }
}

async function verifyNearest(site: TestSite, key: CheckpointKey, seed: number): Promise<void> {
  const target = site.stores.nodeFiles(nodeId);
  const directory = `restored/${key.allocationId}/${key.checkpointId}`;
  await restoreCheckpoint(site.stores, { key, nodeId, signal, target, directory });
  assert.deepEqual(sorted(await treeDigests(join(target.root, directory))), sorted(digestsOf(siteFilesOf(seed, key.checkpointId))), 'from the nearest copy');
  await target.remove(directory);
}

async function verifyDrained(site: TestSite, key: CheckpointKey, seed: number): Promise<void> {
  const { path } = await site.penstock.restoreCheckpoint(key);
  const found = await treeDigests(join(site.stores.hotFiles.root, path));
  assert.deepEqual(sorted(found), sorted(digestsOf(siteFilesOf(seed, key.checkpointId))), 'from the erasure set');
}
