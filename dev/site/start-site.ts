/**
 * The embedded site: everything a site file calls `embedded`, as child processes on loopback in one directory. Nothing of it
 * outlives the process that started it, and two sites do not meet.
 */
import { resolve } from 'node:path';
import { loadSiteFile } from '../../drivers/site-file.ts';
import type { Site } from '../../model/site.ts';
import { tryLock } from '../lock.ts';
import { identifyProcess } from '../process-identity.ts';
import { allOrFirstError } from './all-or-first-error.ts';
import { putExampleData } from './example-data.ts';
import { createDirectories, layOut, type SiteLayout, withAbsolutePaths } from './layout.ts';
import type { NfsExportControl } from './nfs-exports.ts';
import { LOOPBACK, releasePort } from './ports.ts';
import { renderSiteFile, resolveSite, type StartedParts } from './resolve-site.ts';
import { writePrivately } from './secrets.ts';
import type { Service } from './service.ts';
import {
  makeAuditKeys,
  nfsExportControl,
  type PartContext,
  startColdTier,
  startGateway,
  startHotTier,
  startNfs,
  startTemporal,
  startWorkers,
} from './start-parts.ts';
import { readState, type SiteState, writeState } from './state.ts';

export const siteServices = ['temporal', 's3', 'nfs', 'hot-tier', 'workers'] as const;
export type SiteService = (typeof siteServices)[number];

export interface StartSiteOptions {
  readonly configFile: string;
  readonly directory: string;
  readonly log: (line: string) => void;
  /** All where absent. */
  readonly services?: readonly SiteService[];
  /** The data set that the examples name is put into the embedded warm store; default false. */
  readonly withExampleData?: boolean;
}

export interface RunningSite {
  /** Without any `embedded` that was started; also in {@link siteFile}. */
  readonly site: Site;
  readonly siteFile: string;
  readonly directory: string;
  /** Undefined where the site file names a Temporal of its own. */
  readonly uiUrl: string | undefined;
  /** For {@link syncNfsExports}; undefined where NFS does not run. */
  readonly nfsExports: NfsExportControl | undefined;
  /** temporal, s3-hot, s3-warm, s3-cold, s3-racks, nfs, hot-tier, worker-control, worker-data: those that run. */
  readonly serviceNames: readonly string[];
  /** @throws where no such service was started */
  service(name: string): Service;
  /** Workers first, then what they use; all gone afterwards. May be called again. */
  stop(): Promise<void>;
}

/** @throws one error that quotes the last log lines of what failed; everything started is stopped */
export async function startSite(options: StartSiteOptions): Promise<RunningSite> {
  if (process.platform !== 'linux') throw new Error('the embedded site needs Linux: mount namespaces, /proc and nosymfollow mounts');
  const wanted = await loadSiteFile(options.configFile);
  const layout = layOut(options.directory, wanted);
  const config = withAbsolutePaths(wanted, layout);
  await createDirectories(config, layout);
  const lock = await tryLock(layout.lock);
  if ('heldBy' in lock)
    throw new Error(`a site already runs in ${layout.directory} (process ${lock.heldBy?.pid ?? 'unknown'}); stop it or use another directory`);

  const run = new SiteRun();
  const releaseAll = async (): Promise<void> => {
    await run.stop();
    await lock.release();
  };
  try {
    const previous = await readState(layout.stateFile);
    const state = { configFile: resolve(options.configFile), startedAt: new Date().toISOString() };
    const saveState = () => writeState(layout.stateFile, run.state(layout, state));
    const context: PartContext = {
      site: config,
      layout,
      preferences: previous?.ports ?? {},
      logDirectory: layout.logs,
      log: options.log,
      onStart: saveState,
      started: (service, ports) => run.add(service, ports),
    };
    const site = await startParts(context, new Set(options.services ?? siteServices), run, options.withExampleData ?? false);
    await saveState();
    return {
      site,
      siteFile: layout.siteFile,
      directory: layout.directory,
      uiUrl: run.uiUrl,
      nfsExports: run.names().includes('nfs') ? nfsExportControl(layout) : undefined,
      get serviceNames() {
        return run.names();
      },
      service: (name) => run.service(name),
      stop: releaseAll,
    };
  } catch (error) {
    await releaseAll();
    throw error;
  }
}

async function startParts(context: PartContext, services: ReadonlySet<SiteService>, run: SiteRun, withExampleData: boolean): Promise<Site> {
  const when = <T>(service: SiteService, start: () => Promise<T>) => (services.has(service) ? start() : Promise.resolve(undefined));
  const [temporal, hot, warm, coldGateway, racks, nfsPort] = await allOrFirstError([
    when('temporal', () => startTemporal(context)),
    when('s3', () => startGateway(context, 'hot')),
    when('s3', () => startGateway(context, 'warm')),
    when('s3', () => startGateway(context, 'cold')),
    when('s3', () => startGateway(context, 'racks')),
    when('nfs', () => startNfs(context)),
  ]);
  run.nextStage();
  const cold = await startColdTier(context, coldGateway);
  const gateways = { ...(hot ? { hot } : {}), ...(warm ? { warm } : {}), ...(cold ? { cold } : {}), ...(racks ? { racks } : {}) };
  const stores: StartedParts = { temporal, gateways, nfsPort };

  const management = await when('hot-tier', () => startHotTier(context, stores));
  const site = resolveSite(context.site, { ...stores, management, auditKeys: await makeAuditKeys(context) });
  await writePrivately(context.layout.siteFile, renderSiteFile(site));
  if (warm && withExampleData) await putExampleData(site.stores.warm);

  run.nextStage();
  await when('workers', () => startWorkers(context));
  return site;
}

/** What has been started, in stages: each stage uses those before it, so it is stopped before them. */
class SiteRun {
  readonly #stages: Service[][] = [[]];
  readonly #ports: Record<string, number> = {};
  #stopping: Promise<void> | undefined;

  add(service: Service, ports: Readonly<Record<string, number>>): void {
    this.#stages.at(-1)?.push(service);
    Object.assign(this.#ports, ports);
  }

  nextStage(): void {
    this.#stages.push([]);
  }

  get uiUrl(): string | undefined {
    const port = this.#ports['temporal-ui'];
    return port === undefined ? undefined : `http://${LOOPBACK}:${port}`;
  }

  names(): string[] {
    return this.#stages.flat().map((service) => service.name);
  }

  service(name: string): Service {
    const found = this.#stages.flat().find((service) => service.name === name);
    if (!found) throw new Error(`the site runs no service "${name}"; it runs ${this.names().join(', ')}`);
    return found;
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stopStages();
    return this.#stopping;
  }

  async #stopStages(): Promise<void> {
    for (const stage of this.#stages.toReversed()) await Promise.all(stage.map((service) => service.stop()));
    for (const port of Object.values(this.#ports)) releasePort(port);
  }

  state(layout: SiteLayout, start: Pick<SiteState, 'configFile' | 'startedAt'>): SiteState {
    const supervisor = identifyProcess(process.pid);
    if (!supervisor) throw new Error('cannot read /proc/self/stat');
    return {
      version: 1,
      supervisor,
      ...start,
      siteFile: layout.siteFile,
      ...(this.uiUrl ? { uiUrl: this.uiUrl } : {}),
      ports: this.#ports,
      services: this.#stages.flat().map(({ name, child }) => ({ name, process: child.identity, logFile: child.logFile })),
    };
  }
}
