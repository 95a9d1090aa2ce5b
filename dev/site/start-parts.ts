/** Each part of the embedded site: whether the site file wants it, with what it is started, and where it then is. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Site } from '../../model/site.ts';
import { findTool } from '../toolchain/find-tool.ts';
import { resolveTool } from '../toolchain/resolve-tool.ts';
import { allOrFirstError } from './all-or-first-error.ts';
import { COLD_TIER_SERVICE, coldTierEmulator } from './cold-tier-emulator.ts';
import { hotTierEmulator } from './hot-tier-emulator.ts';
import type { SiteLayout } from './layout.ts';
import type { NfsExportControl } from './nfs-exports.ts';
import { nfsServer } from './nfs-server.ts';
import { programExists } from './node-process.ts';
import { LOOPBACK, listensBeyondLoopback } from './ports.ts';
import type { S3StoreName, StartedGateway, StartedParts } from './resolve-site.ts';
import { type S3GatewayOptions, s3Gateway } from './s3-gateway.ts';
import { generateS3Credentials, generateSecret, generateSigningKey } from './secrets.ts';
import { type Service, type ServiceContext, ServiceStartError, startService } from './service.ts';
import { type PortPreferences, startOnPorts } from './start-on-ports.ts';
import { type TemporalPorts, temporalServer } from './temporal-server.ts';
import { WORKER_PROGRAM, worker, workerRoles } from './workers.ts';

export interface PartContext extends ServiceContext {
  /** With absolute paths. */
  readonly site: Site;
  readonly layout: SiteLayout;
  /** Ports of this directory's last start. */
  readonly preferences: PortPreferences;
  /** Told of each service at once, so that a failure elsewhere can still stop it. */
  readonly started: (service: Service, ports: Readonly<Record<string, number>>) => void;
}

export async function startTemporal(context: PartContext): Promise<TemporalPorts | undefined> {
  const settings = context.site.temporal;
  if (settings.address !== 'embedded') return undefined;
  const { path: binary } = await resolveTool('temporal', context);
  const { service, ports } = await startOnPorts(
    { temporal: settings.port, 'temporal-ui': settings.uiPort, 'temporal-http': 'auto', 'temporal-metrics': 'auto' },
    context.preferences,
    (chosen) => temporalServer({ binary, settings, databaseFile: context.layout.databaseFile, ports: temporalPorts(chosen) }),
    context,
  );
  context.started(service, ports);
  return temporalPorts(ports);
}

function temporalPorts(ports: Readonly<Record<'temporal' | 'temporal-ui' | 'temporal-http' | 'temporal-metrics', number>>): TemporalPorts {
  return { frontend: ports.temporal, ui: ports['temporal-ui'], http: ports['temporal-http'], metrics: ports['temporal-metrics'] };
}

export async function startGateway(context: PartContext, store: S3StoreName): Promise<StartedGateway | undefined> {
  const { layout, site } = context;
  const access = store === 'hot' ? site.stores.hot.s3 : site.stores[store];
  if (access.endpoint !== 'embedded') return undefined;
  const { path: binary } = await resolveTool('versitygw', context);
  const credentials = await generateS3Credentials(layout.secrets, store);
  const options: Omit<S3GatewayOptions, 'port'> = {
    name: `s3-${store}`,
    binary,
    root: store === 'hot' ? layout.hot : layout.s3(store),
    region: access.region,
    accessKeyId: credentials.accessKeyId.value,
    secretAccessKey: credentials.secretAccessKey.value,
    ...(store === 'cold' ? { versioningDirectory: layout.coldVersions } : {}),
    ...(store === 'hot' ? { mountWithoutLinks: layout.hotWithoutLinks } : {}),
  };
  const sidecarDirectory = join(layout.directory, 's3', `${store}-metadata`);
  const start = (more: Partial<S3GatewayOptions>) =>
    startOnPorts({ [options.name]: access.port }, context.preferences, (ports) => s3Gateway({ ...options, ...more, port: ports[options.name] ?? 0 }), context);
  // Once a tree's metadata is in a sidecar, it stays there.
  const { service, ports } = await start(existsSync(sidecarDirectory) ? { sidecarDirectory } : {}).catch((error: unknown) => {
    if (!(error instanceof ServiceStartError) || !error.output.includes('xattrs are not supported')) throw error;
    context.log(`${options.name}: no extended attributes under ${options.root}; metadata goes to ${sidecarDirectory}`);
    return start({ sidecarDirectory });
  });
  context.started(service, ports);
  return { port: ports[options.name] ?? 0, credentials };
}

/** @returns where the cold store is then spoken to: at the gateway itself where its site file archives nothing */
export async function startColdTier(context: PartContext, gateway: StartedGateway | undefined): Promise<StartedGateway | undefined> {
  const { cold } = context.site.stores;
  if (!gateway || !cold.archive) return gateway;
  const { service, ports } = await startOnPorts(
    { [COLD_TIER_SERVICE]: 'auto' },
    context.preferences,
    (chosen) => coldTierEmulator(context.layout, gateway, cold.region, chosen[COLD_TIER_SERVICE] ?? 0),
    context,
  );
  context.started(service, ports);
  return { ...gateway, port: ports[COLD_TIER_SERVICE] ?? 0 };
}

export async function startNfs(context: PartContext): Promise<number | undefined> {
  const { nfs } = context.site.stores.hot;
  if (!nfs?.enabled || nfs.address !== undefined) return undefined;
  const ganesha = await findTool('ganesha');
  if (!ganesha) {
    context.log('NFS is left out: ganesha.nfsd is not installed (Debian packages nfs-ganesha and nfs-ganesha-vfs)');
    return undefined;
  }
  if (process.getuid?.() !== 0) {
    context.log('NFS is left out: ganesha.nfsd opens files by handle, which needs root');
    return undefined;
  }
  const { service, ports } = await startOnPorts(
    { nfs: nfs.port },
    context.preferences,
    (chosen) =>
      nfsServer({
        binary: ganesha.path,
        directory: context.layout.nfs,
        exportedTree: context.layout.hot,
        ...nfsExportControl(context.layout),
        port: chosen.nfs,
      }),
    context,
  );
  context.started(service, ports);
  if (listensBeyondLoopback(ports.nfs)) {
    context.log(`NFS listens on port ${ports.nfs} of every address, as Ganesha does where there is no IPv6; it refuses all clients but those on loopback`);
  }
  return ports.nfs;
}

export function nfsExportControl(layout: SiteLayout): NfsExportControl {
  return { exportsDirectory: join(layout.nfs, 'exports'), pidFile: join(layout.nfs, 'ganesha.pid') };
}

export async function startHotTier(context: PartContext, parts: StartedParts): Promise<StartedParts['management']> {
  const { layout, site } = context;
  const store = site.stores.hot;
  if (store.management.endpoint !== 'embedded') return undefined;
  if (!programExists('dev/hot-tier-emulator/main.ts')) {
    context.log('the hot tier has no management API: dev/hot-tier-emulator/main.ts is missing');
    return undefined;
  }
  const token = await generateSecret(layout.secrets, 'hot-tier.token');
  const s3Endpoint = parts.gateways.hot ? `http://${LOOPBACK}:${parts.gateways.hot.port}` : store.s3.endpoint;
  if (s3Endpoint === 'embedded') throw new Error("the hot tier's management API needs its S3 gateway: start both");
  const { service, ports } = await startOnPorts(
    { 'hot-tier': store.management.port },
    context.preferences,
    (chosen) =>
      hotTierEmulator({
        port: chosen['hot-tier'],
        token: token.value,
        s3Endpoint,
        ...(parts.nfsPort === undefined ? {} : { nfs: { port: parts.nfsPort, control: nfsExportControl(layout) } }),
        store,
        layout,
      }),
    context,
  );
  context.started(service, ports);
  return { port: ports['hot-tier'], tokenReference: token.reference };
}

/** Nothing is started for it: the keys are made where the site file leaves them to this. */
export async function makeAuditKeys({ site, layout }: PartContext): Promise<StartedParts['auditKeys']> {
  if (!site.audit) return undefined;
  const make = async (name: string) => (await generateSigningKey(layout.secrets, name)).reference;
  return { key: await make('audit.key.pem'), witnessKey: await make('audit-witness.key.pem') };
}

export async function startWorkers(context: PartContext): Promise<void> {
  if (!programExists(WORKER_PROGRAM)) {
    context.log(`no workers: ${WORKER_PROGRAM} is missing`);
    return;
  }
  const start = async (role: (typeof workerRoles)[number]) => context.started(await startService(worker(role, context.layout.siteFile), context), {});
  await allOrFirstError(workerRoles.map(start));
}
