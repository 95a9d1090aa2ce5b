/** A command line without a process: captured output, a Penstock that records what it is asked, a clock that does not wait. */
import { fileURLToPath } from 'node:url';
import { runCli } from '../../../cli/run-cli.ts';
import type { Io } from '../../../cli/session.ts';
import type { Penstock } from '../../../client/penstock.ts';
import type { Stores } from '../../../drivers/open-site.ts';
import type { AllocationStatus } from '../../../model/status.ts';

export const repository = fileURLToPath(new URL('../../../', import.meta.url));
export const siteFile = fileURLToPath(new URL('site.yaml', import.meta.url));
export const NOW = new Date('2026-11-21T08:00:00.000Z');

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface World {
  readonly penstock?: Partial<Penstock>;
  readonly stores?: Stores;
  readonly cwd?: string;
  readonly env?: Record<string, string>;
  readonly hasColor?: boolean;
  readonly onInterrupt?: NonNullable<Io['onInterrupt']>;
}

export async function penstock(parameters: readonly string[], world: World = {}): Promise<Ran> {
  let stdout = '';
  let stderr = '';
  const io: Io = {
    stdout: (text) => {
      stdout += text;
    },
    writeBytes: async (bytes) => {
      stdout += Buffer.from(bytes).toString('latin1');
    },
    stderr: (text) => {
      stderr += text;
    },
    cwd: world.cwd ?? repository,
    env: world.env ?? { PENSTOCK_SITE: siteFile },
    hasColor: world.hasColor ?? false,
    connect: () => Promise.resolve(fakePenstock(world.penstock ?? {})),
    openStores: () => (world.stores ? Promise.resolve(world.stores) : Promise.reject(new Error('the test opened stores'))),
    now: () => NOW,
    delay: virtualClock(),
    ...(world.onInterrupt ? { onInterrupt: world.onInterrupt } : {}),
  };
  const code = await runCli(parameters, io);
  return { code, stdout, stderr };
}

const unprepared = (): Promise<never> => Promise.reject(new Error('the test asked for a call it did not prepare'));

/** Scrub's and repair's calls, none of them prepared. */
export const unpreparedErasure = {
  start: unprepared,
  status: unprepared,
  setRate: unprepared,
  pause: unprepared,
  resume: unprepared,
  stop: unprepared,
  callOffRack: unprepared,
};

export const unpreparedReplications = { start: unprepared, status: unprepared, wait: unprepared, recent: unprepared };

function fakePenstock(known: Partial<Penstock>): Penstock {
  return {
    submit: unprepared,
    status: unprepared,
    readiness: unprepared,
    assignNodes: unprepared,
    reserveCheckpoint: unprepared,
    commitCheckpoint: unprepared,
    restoreCheckpoint: unprepared,
    finish: unprepared,
    cancel: unprepared,
    reschedule: unprepared,
    extendRetention: unprepared,
    list: unprepared,
    wait: unprepared,
    transfers: { start: unprepared, plan: unprepared, status: unprepared, setRate: unprepared, cancel: unprepared, list: unprepared, wait: unprepared },
    checks: { start: unprepared, status: unprepared, cancel: unprepared, wait: unprepared },
    limits: { set: unprepared, show: unprepared },
    erasure: { scrub: unpreparedErasure, repair: unpreparedErasure },
    demotion: { schedule: unprepared, run: unprepared, allocationsUnderWay: unprepared },
    brokers: { reserve: unprepared, renew: unprepared, release: unprepared, pause: unprepared, resume: unprepared, show: unprepared },
    replications: unpreparedReplications,
    recalls: { start: unprepared, status: unprepared, cancel: unprepared, wait: unprepared },
    retentions: { status: unprepared, placeHold: unprepared, releaseHold: unprepared, dispose: unprepared, ofTenant: unprepared },
    close: () => Promise.resolve(),
    ...known,
  };
}

/** Keeps what a fake was asked, and answers what it is told to. */
export function recorder<T>(answer: T) {
  const asked: unknown[] = [];
  const ask = (...parameters: unknown[]): Promise<T> => {
    asked.push(parameters.at(-1));
    return Promise.resolve(answer);
  };
  return { ask, asked };
}

/** Timers end in the order of their times, as soon as nothing else is to be done. */
export function virtualClock(): Io['delay'] {
  let now = 0;
  const timers = new Set<{ readonly due: number; readonly resolve: () => void }>();
  const endEarliest = (): void => {
    const [earliest] = [...timers].sort((a, b) => a.due - b.due);
    if (!earliest) return;
    timers.delete(earliest);
    now = earliest.due;
    earliest.resolve();
  };
  return (milliseconds, signal) =>
    new Promise((resolve, reject) => {
      const timer = { due: now + milliseconds, resolve };
      timers.add(timer);
      signal.addEventListener('abort', () => {
        timers.delete(timer);
        reject(new Error('aborted'));
      });
      setImmediate(endEarliest);
    });
}

export const status = (changes: Partial<AllocationStatus> = {}): AllocationStatus => ({
  workflowId: 'allocation/acme/vision/train-001',
  phase: 'running',
  since: '2026-11-21T08:00:00.000Z',
  readiness: { readiness: 1, state: 'ready', files: 3, bytes: 3_000_000, doneFiles: 3, doneBytes: 3_000_000, bytesPerSecond: 0 },
  holdsNodes: true,
  nodes: ['n001'],
  checkpoints: [{ checkpointId: 'step-1', state: 'drained', rackId: 'r01', nodeId: 'n001', bytes: 2000, files: 2 }],
  checkpointCounts: { reserved: 0, committed: 1, drained: 1 },
  journal: [{ at: '2026-11-21T07:59:00.000Z', text: 'admitted with 2 mounts' }],
  ...changes,
});
