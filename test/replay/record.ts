/**
 * `npm run record-histories [-- --only NAME ...]`: plays scenarios on a real site and keeps their histories for the replay tests. Without
 * `--only` it records what has no history yet; with it, the named ones again, as their next version. No file is ever overwritten.
 */
import { readdir, readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import * as z from 'zod';
import { eventsOf, phaseIn } from '../support/histories.ts';
import { seedDataset } from '../support/scenario.ts';
import { startTestSite, type TestSite } from '../support/site.ts';
import { eventually } from '../support/wait.ts';
import { versionsOf, writeGolden } from './goldens.ts';
import { historyToProtoJson } from './proto-json.ts';
import { type Save, type Scenario, type SiteName, sites } from './scenario.ts';
import { SMALL } from './scenarios/datasets.ts';
import { scenarios } from './scenarios/index.ts';
import { scrub, type Traces } from './scrub.ts';

const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '');
const ProtoJsonSchema = z.object({ events: z.array(z.unknown()) });

const { values } = parseArgs({ options: { only: { type: 'string', multiple: true } } });
const wanted = await wantedNames(values.only);
if (wanted.size === 0) process.stdout.write('every history is there; `--only NAME` records the next version of one\n');
for (const name of Object.keys(sites).filter(isSiteName)) {
  const due = scenarios.filter((scenario) => scenario.site === name && scenario.saves.some((each) => wanted.has(each)));
  if (due.length > 0) await playOn(name, due);
}
if (wanted.size > 0) throw new Error(`not saved: ${[...wanted.keys()].join(', ')}. The scenario that lists them must save them.`);

/** Name to the version it gets. */
async function wantedNames(only: readonly string[] | undefined): Promise<Map<string, number>> {
  const known = scenarios.flatMap((scenario) => scenario.saves);
  const unknown = only?.filter((name) => !known.includes(name)) ?? [];
  if (unknown.length > 0) throw new Error(`--only: found ${unknown.join(', ')}; accepted: ${known.join(', ')}`);
  const versions = await Promise.all(known.map(async (name) => [name, await versionsOf(name)] as const));
  return new Map(versions.filter(([name, count]) => (only ? only.includes(name) : count === 0)).map(([name, count]) => [name, count + 1]));
}

async function playOn(name: SiteName, due: readonly Scenario[]): Promise<void> {
  const site = await startTestSite(sites[name]);
  try {
    await seedDataset(site.stores.warm, SMALL);
    const save = saver(site, await tracesOf(site));
    for (const scenario of due) await scenario.run(site, save);
  } finally {
    await site.stop();
  }
}

function saver(site: TestSite, traces: Traces): Save {
  return async (name, workflowId, { runId, phase, when } = {}) => {
    const events = await eventually(`${name} to be seen`, async () => {
      const found = await eventsOf(site.temporal, workflowId, runId);
      const shown = phaseIn(found);
      if (phase !== undefined && shown !== phase) throw new Error(`the history shows ${shown ?? 'no phase'}`);
      return when === undefined || when(found) ? found : undefined;
    });
    const version = wanted.get(name);
    if (version === undefined) return;
    const json = ProtoJsonSchema.parse(historyToProtoJson({ events }));
    const path = await writeGolden(name, version, scrub(json.events, traces));
    wanted.delete(name);
    process.stdout.write(`${path.slice(REPOSITORY.length + 1)}: ${events.length} events\n`);
  };
}

async function tracesOf(site: TestSite): Promise<Traces> {
  const secrets = join(site.directory, 'secrets');
  const values = await Promise.all((await readdir(secrets)).map(async (file) => (await readFile(join(secrets, file), 'utf8')).trim()));
  return {
    replacements: [
      [site.directory, '/site'],
      [dirname(site.directory), '/site-root'],
      [REPOSITORY, '/penstock'],
    ],
    forbidden: [...values, `@${hostname()}`], // a bare host name may be any word
  };
}

function isSiteName(name: string): name is SiteName {
  return name in sites;
}
