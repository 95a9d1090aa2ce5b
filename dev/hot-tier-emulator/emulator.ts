/** Puts the emulator together: state, audit log, calls, expiry. One instance per state file. */
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { serve } from '@hono/node-server';
import { syncNfsExports } from '../site/nfs-exports.ts';
import { openAuditLog } from './audit-log.ts';
import type { EmulatorConfig } from './config.ts';
import { removeExpired } from './holdings.ts';
import { createHttp } from './http.ts';
import { mendLeftovers } from './leftovers.ts';
import { createPrefetchJobs } from './prefetch.ts';
import { addExtensions, addSpecifiedCalls } from './routes.ts';
import { createSnapshots } from './snapshots.ts';
import { live, openStateStore, type State } from './state.ts';
import { TIER_ACTOR, type Tier } from './tier.ts';

const HOST = '127.0.0.1';
/** How late an expired thing may be removed. Nobody sees it meanwhile: every reader filters by the clock. */
const SWEEP_MILLISECONDS = 250;

export interface EmulatorOptions {
  /** Milliseconds since the epoch; tests turn it. */
  readonly now?: () => number;
  readonly report?: (message: string, error: unknown) => void;
}

export interface RunningEmulator {
  readonly url: string;
  /** Removes what has expired by now; the emulator does so by itself four times a second. */
  sweep(): Promise<void>;
  close(): Promise<void>;
}

export async function startHotTierEmulator(config: EmulatorConfig, options: EmulatorOptions = {}): Promise<RunningEmulator> {
  refuseOverlap(config);
  const { now = Date.now, report = reportToStandardError } = options;
  for (const directory of [config.root, config.snapshotsRoot, config.originRoot, dirname(config.stateFile)]) await mkdir(directory, { recursive: true });
  const stop = new AbortController();
  const store = await openStateStore(config.stateFile, async (state, before) => {
    if (state.exports !== before.exports) await serveOverNfs(config, state, now());
  });
  const audit = await openAuditLog(`${config.stateFile}.audit.jsonl`, now);
  const tier: Tier = { config, store, audit, now, stopping: stop.signal, report };
  const snapshots = createSnapshots(tier);
  const prefetchJobs = createPrefetchJobs(tier);

  await mendLeftovers(config.root);
  await snapshots.removeUnrecorded();
  const sweep = async (): Promise<void> => {
    const removed = await removeExpired(tier, snapshots);
    await audit.append(removed.map(({ kind, path }) => ({ actor: TIER_ACTOR, operation: `${kind}.expire`, path, outcome: 'allowed' })));
  };
  await sweep();
  await serveOverNfs(config, store.current(), now());
  prefetchJobs.resume();
  const sweeping = sweepForever(sweep, tier);

  const http = createHttp(tier);
  addSpecifiedCalls(http, { tier, snapshots, prefetchJobs });
  addExtensions(http, { tier, snapshots, prefetchJobs });
  const { server, port } = await listen(http.fetch, config.port);
  return {
    url: `http://${HOST}:${port}`,
    sweep,
    async close() {
      stop.abort();
      await new Promise<void>((closed) => {
        server.close(() => closed());
        if ('closeIdleConnections' in server) server.closeIdleConnections();
      });
      await Promise.all([sweeping, prefetchJobs.settled()]);
      await audit.close();
    },
  };
}

/** One export of the NFS server per live export: who mounts a revoked one is told that there is none. */
async function serveOverNfs(config: EmulatorConfig, state: State, now: number): Promise<void> {
  if (!config.nfs?.control) return;
  await syncNfsExports(
    config.nfs.control,
    live(state.exports, now).map(({ id, path, access }) => ({ name: id, path: join(config.root, path), access })),
  );
}

/** A tree inside another would make snapshots data, or data its own origin. */
function refuseOverlap(config: EmulatorConfig): void {
  const trees = [config.root, config.snapshotsRoot, config.originRoot].map((path) => `${path.replace(/\/+$/, '')}/`);
  const overlapping = trees.some((tree, index) => trees.some((other, otherIndex) => index !== otherIndex && tree.startsWith(other)));
  if (overlapping) throw new Error('root, snapshotsRoot and originRoot lie inside one another; give each a directory of its own');
}

async function sweepForever(sweep: () => Promise<void>, tier: Tier): Promise<void> {
  const { promise: stopped, resolve } = Promise.withResolvers<'stopped'>();
  tier.stopping.addEventListener('abort', () => resolve('stopped'), { once: true });
  while (!tier.stopping.aborted) {
    await sweep().catch((error: unknown) => tier.report('what has expired could not be removed; trying again', error));
    let timer: NodeJS.Timeout | undefined;
    const rested = new Promise<void>((done) => {
      timer = setTimeout(done, SWEEP_MILLISECONDS);
    });
    await Promise.race([rested, stopped]);
    clearTimeout(timer);
  }
}

function listen(fetch: (request: Request) => Response | Promise<Response>, port: number): Promise<{ server: ReturnType<typeof serve>; port: number }> {
  return new Promise((resolve, reject) => {
    const server = serve({ fetch, hostname: HOST, port }, (address) => resolve({ server, port: address.port }));
    server.once('error', reject);
  });
}

function reportToStandardError(message: string, error: unknown): void {
  console.error(`hot-tier-emulator: ${message}:`, error);
}
