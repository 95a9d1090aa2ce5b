/** A site of its own for a test file: temporary directory, real services, stores opened, client connected. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { parse, stringify } from 'yaml';
import { connectPenstock, type Penstock } from '../../client/index.ts';
import { type RunningSite, type SiteService, startSite } from '../../dev/site/start-site.ts';
import { openStores, type Stores } from '../../drivers/open-site.ts';

export interface TestSite {
  readonly running: RunningSite;
  readonly stores: Stores;
  readonly penstock: Penstock;
  /** For what the public client does not show: histories, descriptions. */
  readonly temporal: Client;
  readonly directory: string;
  stop(): Promise<void>;
}

type Settings = Record<string, unknown>;

export interface TestSiteOptions {
  readonly policies?: Settings;
  readonly hot?: Settings;
  readonly cold?: Settings;
  /** Stores beside the tiers; relative roots are below the site directory. */
  readonly external?: Settings;
  /** Erasure sets of other sites; relative roots are below the site directory. */
  readonly replicas?: Settings;
  /** Networks with a broker. */
  readonly fabrics?: Settings;
  /** How checkpoints are written and kept. */
  readonly checkpoints?: Settings;
  /** How logs are followed and cut. */
  readonly logs?: Settings;
  /** What goes to colder tiers by itself; the schema's default where absent. */
  readonly demotion?: Settings;
  /** The audit log; temporal-dev.yaml's where absent. */
  readonly audit?: Settings;
  readonly services?: readonly SiteService[];
}

/** Policies such that deadlines and heartbeats fit a test; `policies`, `hot` and `cold` are merged over temporal-dev.yaml's. */
export async function startTestSite(options: TestSiteOptions = {}): Promise<TestSite> {
  const directory = await mkdtemp(join(tmpdir(), 'penstock-test-'));
  const configFile = join(directory, 'config.yaml');
  const config = parse(await readFile('temporal-dev.yaml', 'utf8'));
  config.policies = { ...config.policies, heartbeatSeconds: 4, ...options.policies };
  config.stores.hot = { ...config.stores.hot, ...options.hot };
  config.stores.cold = { ...config.stores.cold, ...options.cold };
  config.stores.external = options.external ?? {};
  config.erasureSet.replicas = options.replicas ?? {};
  if (options.fabrics) config.fabrics = options.fabrics;
  if (options.checkpoints) config.checkpoints = options.checkpoints;
  if (options.logs) config.logs = options.logs;
  if (options.demotion) config.demotion = options.demotion;
  if (options.audit) config.audit = options.audit;
  await writeFile(configFile, stringify(config));
  const running = await startSite({
    configFile,
    directory: join(directory, 'site'),
    log: () => undefined,
    ...(options.services ? { services: options.services } : {}),
  });
  const address = running.site.temporal.address;
  const connection = await Connection.connect({ address });
  const penstock = await connectPenstock({ address });
  return {
    running,
    stores: await openStores(running.site),
    penstock,
    temporal: new Client({ connection }),
    directory: running.directory,
    stop: async () => {
      await penstock.close();
      await connection.close();
      await running.stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
