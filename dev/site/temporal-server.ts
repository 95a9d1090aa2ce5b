/** Temporal's development server with its UI and a database file, so that histories survive a restart or a SIGKILL. */
import { Connection } from '@temporalio/client';
import type { Site } from '../../model/site.ts';
import { LOOPBACK, listensOn } from './ports.ts';
import type { ServiceDefinition } from './service.ts';

export interface TemporalPorts {
  readonly frontend: number;
  readonly ui: number;
  readonly http: number;
  readonly metrics: number;
}

export interface TemporalServerOptions {
  readonly binary: string;
  readonly settings: Site['temporal'];
  readonly databaseFile: string;
  readonly ports: TemporalPorts;
}

export function temporalServer(options: TemporalServerOptions): ServiceDefinition {
  return {
    name: 'temporal',
    command: () => ({ file: options.binary, arguments: temporalFlags(options), environment: withoutTemporalVariables() }),
    isReady: async (child) =>
      (await listensOn(child.identity.pid, options.ports.frontend)) &&
      (await listensOn(child.identity.pid, options.ports.ui)) &&
      ensureSearchAttributes(options),
    readyTimeoutMilliseconds: 60_000,
    stopGraceMilliseconds: 10_000,
  };
}

export function temporalFlags({ settings, databaseFile, ports }: TemporalServerOptions): string[] {
  return [
    'server',
    'start-dev',
    '--ip',
    LOOPBACK,
    '--port',
    String(ports.frontend),
    '--ui-port',
    String(ports.ui),
    '--http-port',
    String(ports.http),
    '--metrics-port',
    String(ports.metrics),
    '--namespace',
    settings.namespace,
    '--db-filename',
    databaseFile,
    // With a write-ahead log, `normal` survives the process's death (tried), though not the machine's; `full` costs a sync per write.
    '--sqlite-pragma',
    'journal_mode=wal',
    '--sqlite-pragma',
    'synchronous=normal',
    '--log-level',
    'warn',
    '--disable-config-file',
    ...Object.entries(settings.searchAttributes).flatMap(([name, type]) => ['--search-attribute', `${name}=${type}`]),
  ];
}

/** The user's own TEMPORAL_ADDRESS, profile or codec must not steer the embedded server. */
function withoutTemporalVariables(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('TEMPORAL_')));
}

/**
 * True when the namespace has every search attribute. The server's own flag adds them only to a namespace it creates; one
 * that is already in the database file gets none (tried with 1.5.1), so missing ones are added here.
 */
async function ensureSearchAttributes({ settings, ports }: TemporalServerOptions): Promise<boolean> {
  const connection = await Connection.connect({ address: `${LOOPBACK}:${ports.frontend}`, connectTimeout: 2000 });
  try {
    const namespace = settings.namespace;
    await connection.workflowService.describeNamespace({ namespace });
    const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace });
    const missing = Object.entries(settings.searchAttributes).filter(([name]) => !(name in customAttributes));
    if (missing.length === 0) return true;
    const searchAttributes = Object.fromEntries(missing.map(([name, type]) => [name, indexedValueTypes[type]]));
    await connection.operatorService.addSearchAttributes({ namespace, searchAttributes });
    return false;
  } finally {
    await connection.close();
  }
}

/** temporal.api.enums.v1.IndexedValueType, whose package is no dependency of ours. */
const indexedValueTypes = { Text: 1, Keyword: 2, Int: 3, Double: 4, Bool: 5, Datetime: 6, KeywordList: 7 } as const;
