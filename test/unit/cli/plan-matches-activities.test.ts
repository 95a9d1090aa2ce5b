/** The dry run names the calls that the activities really make: they run here over stores that only write down what they are asked. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { Client, Connection } from '@temporalio/client';
import { MockActivityEnvironment } from '@temporalio/testing';
import { planAllocation } from '../../../activities/admission.ts';
import { createNodeActivities } from '../../../activities/node.ts';
import { createReleaseActivities } from '../../../activities/release.ts';
import { createStagingActivities } from '../../../activities/staging.ts';
import { createStartingActivities } from '../../../activities/starting.ts';
import { planDryRun } from '../../../cli/plan/plan-dry-run.ts';
import { loadSiteFile } from '../../../drivers/site-file.ts';
import { type AllocationInput, AllocationRequestSchema } from '../../../model/allocation.ts';
import { allocationWorkflowId } from '../../../model/identifiers.ts';
import type { Phase } from '../../../model/phase.ts';
import { recordingStores } from './recording-stores.ts';
import { NOW, repository } from './support.ts';

const site = await loadSiteFile(join(repository, 'temporal-dev.yaml'));
const contents = { warm: { 'training-data': { 'imagenet/a': 10_000_000, 'imagenet/b': 5_000_000, 'labels/a': 1000 } }, remote: { '/home/ada': 1_000_000 } };
const input: AllocationInput = {
  tenant: 'acme',
  project: 'vision',
  allocationId: 'train-001',
  user: 'ada',
  data: {
    mounts: [
      { source: 's3://training-data/imagenet', target: '/data/input', bandwidth_floor: '200MB/s' },
      { source: 's3://training-data/labels', target: '/data/labels', tier_hint: 'warm' },
    ],
    scratch_per_node: '100MB',
  },
};
const request = AllocationRequestSchema.parse(input);
const key = { tenant: request.tenant, project: request.project, allocationId: request.allocationId };
const { data } = planAllocation(request, site, NOW);
const nodes = site.nodes.slice(0, 2).map((node) => ({ nodeId: node.id, rackId: node.rackId, features: node.features }));

/** Questions are asked more than once, and not all of them are worth a line of the plan. */
const isQuestion = (call: string): boolean => /^\w+\.(list|head|readBytes|freeBytes) /.test(call);

async function planned(phase: Phase): Promise<Set<string>> {
  const { stores } = recordingStores(site, contents);
  const { steps, refusals } = await planDryRun({ declaration: input, site, stores, now: NOW });
  assert.deepEqual(refusals, []);
  const calls = steps.filter((step) => step.phase === phase && step.kind === 'call').map((step) => `${step.action} ${step.subject}`);
  return new Set(calls.filter((call) => !isQuestion(call)));
}

/** Node ids and run ids are known only later; the plan says so in their place. */
function asPlanned(calls: readonly string[]): Set<string> {
  const named = calls.map((call) => call.replace(/(manifests\/acme\/vision\/train-001\/).*/, '$1').replace(/\/n\d{3}$/, '/<node>'));
  return new Set(named.filter((call) => !isQuestion(call)));
}

function inActivity() {
  const signal = () => Promise.resolve();
  const client = new Client({ connection: Connection.lazy(), interceptors: { workflow: [{ signal }] } });
  return new MockActivityEnvironment({}, { client });
}

test('staging asks, reserves and recalls what the plan says', async () => {
  const { stores, calls } = recordingStores(site, contents);
  const staging = createStagingActivities(stores);
  const allocation = allocationWorkflowId(request);
  await inActivity().run(async () => {
    const survey = await staging.survey({ ...key, mounts: data.mounts, allocation });
    await staging.reserveHot({ ...key, survey, pinnedUntil: NOW.toISOString(), allocation });
    for (const recall of survey.recalls) await staging.recall({ ...key, ...recall, allocation });
  });
  assert.deepEqual(asPlanned(calls), await planned('staging'));
});

test('starting opens and makes what the plan says, on nodes with and without NVMe', async () => {
  const { stores, calls } = recordingStores(site, contents);
  const starting = createStartingActivities(stores);
  const node = createNodeActivities(stores);
  const expiresAt = NOW.toISOString();
  await inActivity().run(async () => {
    await starting.preparePrefixes({ ...key, data, nodes: [] });
    await starting.openExports({ ...key, mounts: data.mounts, clients: ['n001'], expiresAt });
    await starting.takeSnapshots({ ...key, mounts: data.mounts, expiresAt });
    for (const each of nodes) await node.prepareNode({ ...key, node: each, scratchBytes: data.scratchBytesPerNode, expiresAt });
  });
  assert.deepEqual(asPlanned(calls), await planned('starting'));
});

test('what is given back and wiped at the end is what the plan says', async () => {
  const { stores, calls } = recordingStores(site, contents);
  const node = createNodeActivities(stores);
  await inActivity().run(async () => {
    await createReleaseActivities(stores).releaseHoldings({ ...key, kinds: ['exports'] });
    for (const each of nodes) await node.wipeNode({ ...key, node: each });
  });
  const logs = [...(await planned('draining'))].filter((call) => !call.startsWith('warm.'));
  assert.deepEqual(asPlanned(calls), new Set(logs));
});

test("admission takes an allocation's own terms for its checkpoints within the site's, and refuses others", () => {
  const overrides = { keepLast: [1, 4], keepDays: [1, 30], keepEvery: [2, 50] } satisfies typeof site.checkpoints.overrides;
  const allowing = { ...site, checkpoints: { ...site.checkpoints, overrides } };
  const admitted = planAllocation({ ...request, checkpoints: { keepLast: 4, keepEvery: 10, keepDays: 30 } }, allowing, NOW);
  assert.deepEqual(admitted.checkpoints, { keepDays: 30, keepEvery: 10, supersede: site.checkpoints.supersede });
  assert.throws(() => planAllocation({ ...request, checkpoints: { keepLast: 5 } }, allowing, NOW), {
    message: /checkpoints\.keepLast: found 5; accepted: from 1 to 4/,
  });
});
