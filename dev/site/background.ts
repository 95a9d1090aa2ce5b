/** A site in the background: up, down and how it is. The site belongs to a supervisor process, known by its identity. */
import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { mkdir, readFile, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { lockHolder } from '../lock.ts';
import { isAlive, signalProcess, waitUntilGone } from '../process-identity.ts';
import { nodeCommand } from './node-process.ts';
import { restartAdvice } from './service.ts';
import type { SiteService } from './start-site.ts';
import { readState, type SiteState } from './state.ts';

/** Below the current folder. */
export const DEFAULT_SITE_DIRECTORY = '.penstock/dev';

/** Tools may have to be built first, which takes minutes once per user. */
const UP_TIMEOUT_MILLISECONDS = 15 * 60_000;
/** The longest stage takes 15 s until SIGKILL (workers), two more follow. */
const DOWN_TIMEOUT_MILLISECONDS = 45_000;

export interface SiteUpOptions {
  readonly configFile: string;
  readonly directory?: string;
  readonly services?: readonly SiteService[];
  /** Hears the supervisor's progress. */
  readonly log?: (line: string) => void;
}

export interface SiteStatus {
  readonly phase: 'down' | 'starting' | 'up';
  /** Of the last start that succeeded; undefined where none did. */
  readonly state: SiteState | undefined;
  readonly services: readonly { readonly name: string; readonly pid: number; readonly alive: boolean }[];
}

/** Starts the site unless it is up or starting, and waits until it is up. @throws what the supervisor reported; where it is up and one of its services is gone */
export async function siteUp(options: SiteUpOptions): Promise<SiteState> {
  const directory = resolve(options.directory ?? DEFAULT_SITE_DIRECTORY);
  await mkdir(join(directory, 'logs'), { recursive: true });
  const report = await LogReader.open(join(directory, 'logs', 'supervisor.log'));
  let own: Supervisor | undefined;

  for (const deadline = Date.now() + UP_TIMEOUT_MILLISECONDS; Date.now() < deadline; ) {
    const ended = own?.hasEnded() ?? false; // asked before the status, so that a site that came up last is still seen
    const { phase, state } = await siteStatus(directory);
    for (const line of await report.newLines()) options.log?.(line);
    if (phase === 'up' && state) {
      refuseHalfDead(directory, state);
      await own?.giveWay(state);
      return state;
    }
    if (ended && phase === 'down') {
      const reason = options.log ? ` the reason stands above, and in ${report.file}` : `\n${(await report.all()).trimEnd() || `see ${report.file}`}`;
      throw new Error(`the site did not start:${reason}`);
    }
    if (phase === 'down') own ??= startSupervisor(options, directory, report.file);
    await new Promise((settle) => setTimeout(settle, 100));
  }
  await siteDown(directory);
  throw new Error(`the site was not up within ${UP_TIMEOUT_MILLISECONDS / 60_000} minutes:\n${await report.all()}`);
}

/** What is up by name only must not look like a site that works. */
function refuseHalfDead(directory: string, { services }: SiteState): void {
  const dead = services.filter(({ process }) => !isAlive(process));
  if (dead.length === 0) return;
  const named = dead.map(({ name, logFile }) => `${name} is gone (its log: ${logFile})`).join(', ');
  throw new Error(`the site in ${directory} is up, but ${named}. ${restartAdvice(`penstock site down --directory ${directory}`)}`);
}

interface Supervisor {
  hasEnded(): boolean;
  /** Gone, where another was faster: one that begins late would find the site free again after a `siteDown`, and bring it up unasked. */
  giveWay(to: SiteState): Promise<void>;
}

function startSupervisor(options: SiteUpOptions, directory: string, logFile: string): Supervisor {
  const services = options.services ? ['--services', options.services.join(',')] : [];
  const command = nodeCommand('dev/site/supervisor.ts', ['--config', resolve(options.configFile), '--directory', directory, ...services]);
  const log = openSync(logFile, 'a', 0o600);
  const supervisor = spawn(command.file, [...command.arguments], { detached: true, stdio: ['ignore', log, log] });
  closeSync(log);
  supervisor.unref();
  let ended = false;
  const end = Promise.withResolvers<void>();
  const over = (): void => {
    ended = true;
    end.resolve();
  };
  supervisor.once('exit', over).once('error', over);
  return {
    hasEnded: () => ended,
    async giveWay({ supervisor: { pid } }) {
      if (ended || supervisor.pid === pid) return;
      supervisor.ref();
      supervisor.kill('SIGKILL');
      await end.promise;
    },
  };
}

/** All processes of the site are gone afterwards. @returns whether any was running */
export async function siteDown(directory: string = DEFAULT_SITE_DIRECTORY): Promise<boolean> {
  const root = resolve(directory);
  const supervisor = await lockHolder(join(root, 'lock'));
  if (supervisor) {
    signalProcess(supervisor, 'SIGTERM');
    if (!(await waitUntilGone(supervisor, DOWN_TIMEOUT_MILLISECONDS))) {
      signalProcess(supervisor, 'SIGKILL');
      await waitUntilGone(supervisor, 5000);
    }
  }
  // Only where setpriv is missing can a child have outlived a killed supervisor.
  const services = (await readState(join(root, 'state.json')))?.services ?? [];
  const orphans = services.filter(({ process }) => signalProcess(process, 'SIGKILL'));
  await Promise.all(orphans.map(({ process }) => waitUntilGone(process, 5000)));
  return supervisor !== undefined || orphans.length > 0;
}

export async function siteStatus(directory: string = DEFAULT_SITE_DIRECTORY): Promise<SiteStatus> {
  const root = resolve(directory);
  const holder = await lockHolder(join(root, 'lock'));
  const state = await readState(join(root, 'state.json'));
  const services = state?.services.map(({ name, process }) => ({ name, pid: process.pid, alive: isAlive(process) })) ?? [];
  if (!holder) return { phase: 'down', state, services };
  const isOfThisRun = state?.supervisor.pid === holder.pid && state.supervisor.startTime === holder.startTime;
  return { phase: isOfThisRun ? 'up' : 'starting', state, services };
}

/** What a log file has gained since it was opened. */
class LogReader {
  readonly file: string;
  readonly #start: number;
  #seen = 0;

  private constructor(file: string, start: number) {
    this.file = file;
    this.#start = start;
  }

  static async open(file: string): Promise<LogReader> {
    return new LogReader(file, (await stat(file).catch(() => undefined))?.size ?? 0);
  }

  async all(): Promise<string> {
    const content = await readFile(this.file).catch(() => Buffer.alloc(0));
    return content.subarray(this.#start).toString('utf8');
  }

  async newLines(): Promise<string[]> {
    const lines = (await this.all()).split('\n').slice(0, -1);
    const fresh = lines.slice(this.#seen);
    this.#seen = lines.length;
    return fresh;
  }
}
