/** The cold store's archive classes, where its gateway is embedded: an emulator process before the gateway. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ColdTierConfig } from '../cold-tier-emulator/config.ts';
import type { SiteLayout } from './layout.ts';
import { hasSaidReady, nodeCommand } from './node-process.ts';
import { LOOPBACK, listensOn } from './ports.ts';
import type { StartedGateway } from './resolve-site.ts';
import type { ServiceDefinition } from './service.ts';

export const COLD_TIER_SERVICE = 'cold-tier';
/** Seconds stand for hours, so that a restore is seen to take its time and a person need not. */
const RESTORE_MILLISECONDS = {
  GLACIER: { Expedited: 1000, Standard: 5000, Bulk: 12_000 },
  DEEP_ARCHIVE: { Standard: 12_000, Bulk: 48_000 },
} as const;

export function coldTierEmulator(layout: SiteLayout, gateway: StartedGateway, region: string, port: number): ServiceDefinition {
  const configFile = join(layout.secrets, 'cold-tier-emulator.json');
  return {
    name: COLD_TIER_SERVICE,
    command() {
      writeFileSync(configFile, `${JSON.stringify(configOf(layout, gateway, region, port), null, 2)}\n`, { mode: 0o600 });
      return nodeCommand('dev/cold-tier-emulator/main.ts', ['--config', configFile]);
    },
    isReady: async (child) => (await hasSaidReady(child)) && (await listensOn(child.identity.pid, port)),
    readyTimeoutMilliseconds: 20_000,
    stopGraceMilliseconds: 5_000,
  };
}

const configOf = (layout: SiteLayout, { port: gatewayPort, credentials }: StartedGateway, region: string, port: number): ColdTierConfig => ({
  port,
  upstream: {
    endpoint: `http://${LOOPBACK}:${gatewayPort}`,
    region,
    accessKeyId: credentials.accessKeyId.value,
    secretAccessKey: credentials.secretAccessKey.value,
  },
  stateFile: join(layout.directory, 's3', 'cold-archive.json'),
  accessLog: join(layout.logs, 'cold-tier-access.jsonl'),
  restoreMilliseconds: RESTORE_MILLISECONDS,
  dayMilliseconds: 86_400_000,
  expeditedAtOnce: 1000,
});
