/** The hot tier's management API: an emulator process over the same tree that S3 and NFS serve. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { HotStoreConfig } from '../../model/site.ts';
import type { EmulatorConfig } from '../hot-tier-emulator/config.ts';
import type { SiteLayout } from './layout.ts';
import type { NfsExportControl } from './nfs-exports.ts';
import { NFS_PSEUDO_PATH } from './nfs-server.ts';
import { hasSaidReady, nodeCommand } from './node-process.ts';
import { LOOPBACK, listensOn } from './ports.ts';
import type { ServiceDefinition } from './service.ts';

export interface EmulatorOptions {
  readonly port: number;
  readonly token: string;
  readonly s3Endpoint: string;
  readonly nfs?: { readonly port: number; readonly control: NfsExportControl };
  readonly store: HotStoreConfig;
  readonly layout: SiteLayout;
}

export function hotTierEmulator(options: EmulatorOptions): ServiceDefinition {
  const configFile = join(options.layout.secrets, 'hot-tier-emulator.json');
  return {
    name: 'hot-tier',
    command() {
      writeFileSync(configFile, `${JSON.stringify(emulatorConfig(options), null, 2)}\n`, { mode: 0o600 });
      return nodeCommand('dev/hot-tier-emulator/main.ts', ['--config', configFile]);
    },
    isReady: async (child) => (await hasSaidReady(child)) && (await listensOn(child.identity.pid, options.port)),
    readyTimeoutMilliseconds: 20_000,
    stopGraceMilliseconds: 5_000,
  };
}

export function emulatorConfig({ port, token, s3Endpoint, nfs, store, layout }: EmulatorOptions): EmulatorConfig {
  return {
    port,
    root: layout.hot,
    snapshotsRoot: layout.hotSnapshots,
    originRoot: layout.hotOrigin,
    stateFile: join(layout.hotState, 'state.json'),
    token,
    capacityBytes: store.capacity,
    readBytesPerSecond: store.bandwidth.read,
    writeBytesPerSecond: store.bandwidth.write,
    s3Endpoint,
    ...(nfs ? { nfs: { address: LOOPBACK, port: nfs.port, pseudoPath: NFS_PSEUDO_PATH, control: nfs.control } } : {}),
  };
}
