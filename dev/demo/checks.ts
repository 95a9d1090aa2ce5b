/** The demonstration's proof: each check reads the stores themselves. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import pLimit from 'p-limit';
import { isType } from '../../model/errors.ts';
import { allocationWorkflowId } from '../../model/identifiers.ts';
import type { DemoContext, StepView } from './allocation.ts';
import { demoKey } from './story.ts';

type Check = (context: DemoContext) => Promise<string>;

export async function checkDemo(context: DemoContext, view: StepView): Promise<void> {
  const done: string[] = [];
  for (const check of [datasetIsHot, outputIsLocked, nothingIsHeld, logsAreThere, checkpointSurvivesFourRacks]) {
    done.push(await check(context));
    view.output = done.at(-1) ?? '';
  }
  context.checks = done;
  view.title = `${done.length} checks on the stores passed`;
}

const datasetIsHot: Check = async ({ stores, dataset }) => {
  const limit = pLimit(16);
  await Promise.all(
    dataset.files.map(({ path }) =>
      limit(async () => {
        const [original, staged] = [await digest(join(dataset.root, path)), await digest(join(stores.hotFiles.root, 'training-data/packages', path))];
        demand(original === staged, `${path} differs on the hot tier`);
      }),
    ),
  );
  return `all ${dataset.files.length} staged files equal their originals, byte for byte`;
};

const outputIsLocked: Check = async (context) => {
  const { stores, output } = context;
  const { tenant, project, allocationId } = demoKey(context);
  for (const [name, body] of output) {
    const key = `${project}/${allocationId}/${name}`;
    demand(body.equals(await stores.cold.readBytes(tenant, key, { limitBytes: body.length })), `${name} differs on the cold tier`);
    const facts = await stores.cold.head(tenant, key);
    const version = facts?.versionId === undefined ? {} : { versionId: facts.versionId };
    await refused(() => stores.cold.remove(tenant, key, version), `deleting ${name}`);
    await refused(
      () => stores.cold.retain(tenant, key, { mode: 'COMPLIANCE', retainUntil: new Date(Date.now() + 86_400_000).toISOString() }, facts?.versionId),
      `shortening the retention of ${name}`,
    );
  }
  return `the output lies in the cold tier until ${context.status.output?.retainUntil}; the store refused to delete it and to shorten that`;
};

const nothingIsHeld: Check = async (context) => {
  const held = await context.stores.hot.holdings(allocationWorkflowId(demoKey(context)));
  demand(held.exports.length + held.reservations.length === 0, 'exports or reservations are left');
  return 'exports, bandwidth floors, pins and reservations are given back; scratch is wiped';
};

const logsAreThere: Check = async (context) => {
  const { tenant, project, allocationId } = demoKey(context);
  const facts = await context.stores.warm.head(tenant, `${project}/${allocationId}/logs/metadata.json`);
  demand(facts !== undefined, 'logs/metadata.json is missing');
  return `logs are archived as zstd chunks beside s3://${tenant}/${project}/${allocationId}/logs/metadata.json`;
};

/** Takes four racks' buckets away, restores, compares, and puts them back. */
const checkpointSurvivesFourRacks: Check = async (context) => {
  const { penstock, stores, checkpointContent, directory } = context;
  const gone = stores.site.erasureSet.racks.filter((_, index) => index % 5 === 2).slice(0, 4);
  const places = gone.map(({ bucket }) => ({ here: join(directory, 's3/racks', bucket), away: join(directory, 's3', `${bucket}.gone`) }));
  for (const { here, away } of places) await rename(here, away);
  try {
    const restored = await penstock.restoreCheckpoint({ ...demoKey(context), checkpointId: 'step-1000' });
    for (const [name, body] of checkpointContent) {
      const found = await digest(join(stores.hotFiles.root, restored.path, name));
      demand(found === createHash('sha256').update(body).digest('hex'), `${name} differs after the restore`);
    }
  } finally {
    for (const { here, away } of places) await rename(away, here);
  }
  return `checkpoint step-1000 was restored byte for byte with racks ${gone.map((rack) => rack.id).join(', ')} gone`;
};

async function digest(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}

async function refused(work: () => Promise<unknown>, what: string): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (isType(error, 'Denied')) return;
    throw error;
  }
  throw new Error(`${what} was allowed, and must not be`);
}

function demand(holds: boolean, what: string): void {
  if (!holds) throw new Error(`check failed: ${what}`);
}
