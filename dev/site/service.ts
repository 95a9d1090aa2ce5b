/** A named service of the site: one child at a time, started until it is really ready, restarted on the same ports. */
import { join } from 'node:path';
import { type Child, type Command, startChild } from './child.ts';

const POLL_MILLISECONDS = 50;
/** For the person at the site: its data stays, and what was on its way goes on. */
export const restartAdvice = (down = 'penstock site down'): string =>
  `Nothing starts it again by itself: stop the site (Ctrl-C where \`npm run dev\` runs, else \`${down}\`) and start it; its data stays, and what was on its way goes on.`;

export interface ServiceDefinition {
  readonly name: string;
  command(): Command;
  /** Asked again until true; it may throw, which means no. */
  isReady(child: Child): Promise<boolean>;
  readonly readyTimeoutMilliseconds: number;
  readonly stopGraceMilliseconds: number;
}

export interface Service {
  readonly name: string;
  /** Of the present child; it changes with a restart. */
  readonly pid: number;
  readonly child: Child;
  /** Sends the signal; after SIGKILL resolves when the process is gone. */
  kill(signal: NodeJS.Signals): Promise<void>;
  /** Stops it where it runs, then starts it with the same ports, files and credentials. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

export interface ServiceContext {
  readonly logDirectory: string;
  readonly log: (line: string) => void;
  /** After each start. */
  readonly onStart?: () => Promise<void>;
}

export class ServiceStartError extends Error {
  readonly #output: string;

  constructor(message: string, output: string) {
    super(message);
    this.name = 'ServiceStartError';
    this.#output = output;
  }

  /** The child's last lines; already quoted in the message. */
  get output(): string {
    return this.#output;
  }
}

/** @throws ServiceStartError with the child's last lines; no child is left behind */
export async function startService(definition: ServiceDefinition, context: ServiceContext): Promise<Service> {
  const logFile = join(context.logDirectory, `${definition.name}.log`);
  const expectedEnds = new WeakSet<Child>();

  const launch = async (): Promise<Child> => {
    const child = await startChild(definition.command(), logFile);
    await waitUntilReady(definition, child);
    child.onEnd((how) => {
      if (!expectedEnds.has(child)) context.log(`${definition.name} ended unexpectedly (${how}); its log: ${logFile}. ${restartAdvice()}`);
    });
    return child;
  };
  const stop = async (child: Child): Promise<void> => {
    expectedEnds.add(child);
    await child.stop(definition.stopGraceMilliseconds);
  };

  let child = await launch();
  return {
    name: definition.name,
    get pid() {
      return child.identity.pid;
    },
    get child() {
      return child;
    },
    async kill(signal) {
      expectedEnds.add(child);
      child.signal(signal);
      if (signal === 'SIGKILL') await child.stop(0);
    },
    async restart() {
      await stop(child);
      child = await launch();
      await context.onStart?.();
    },
    stop: () => stop(child),
  };
}

async function waitUntilReady(definition: ServiceDefinition, child: Child): Promise<void> {
  const deadline = Date.now() + definition.readyTimeoutMilliseconds;
  for (;;) {
    const ended = child.ended();
    if (ended !== undefined) throw await startError(definition.name, `ended while starting (${ended})`, child);
    if (await definition.isReady(child).catch(() => false)) return;
    if (Date.now() > deadline) {
      await child.stop(0);
      throw await startError(definition.name, `was not ready within ${definition.readyTimeoutMilliseconds / 1000} s`, child);
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MILLISECONDS));
  }
}

async function startError(name: string, what: string, child: Child): Promise<ServiceStartError> {
  const lines = await child.lastLines();
  return new ServiceStartError(`${name} ${what}. The end of ${child.logFile}:\n${lines || '(empty)'}`, lines);
}
