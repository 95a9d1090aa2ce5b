/** One child process of the site: it cannot outlive its parent, and its output is in a file of its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, fstatSync, openSync, renameSync, statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { identifyProcess, type ProcessIdentity } from '../process-identity.ts';
import { whichExecutable } from '../toolchain/find-tool.ts';

const LOG_ROTATE_BYTES = 10 << 20;
const LOG_TAIL_LINES = 25; // Node's own errors put a dozen lines of stack below the message

export interface Command {
  readonly file: string;
  readonly arguments: readonly string[];
  readonly environment?: NodeJS.ProcessEnv;
  readonly currentDirectory?: string;
  /** Before the command, such as `unshare --mount`: put outside setpriv, for a change of credentials forgets the death signal. */
  readonly wrapper?: readonly string[];
}

export interface Child {
  readonly identity: ProcessIdentity;
  readonly logFile: string;
  /** "exit code 1" or "SIGKILL"; undefined while it runs. */
  ended(): string | undefined;
  /** What it has written since it was started. */
  output(): Promise<string>;
  /** Its last lines, for an error message. */
  lastLines(): Promise<string>;
  signal(signal: NodeJS.Signals): void;
  /** SIGTERM, and after the grace SIGKILL; resolves when it is gone. */
  stop(graceMilliseconds: number): Promise<void>;
  /** Calls back once, when it is gone. */
  onEnd(listener: (how: string) => void): void;
}

export async function startChild(command: Command, logFile: string): Promise<Child> {
  const [file, ...parameters] = [...(command.wrapper ?? []), ...(await deathSignal()), command.file, ...command.arguments];
  rotate(logFile);
  const log = openSync(logFile, 'a', 0o600);
  const start = fstatSync(log).size;
  let child: ChildProcess;
  try {
    child = spawn(file ?? command.file, parameters, {
      stdio: ['ignore', log, log],
      detached: true, // a session of its own: Ctrl-C reaches the parent only, which then stops everything in order
      env: command.environment ?? process.env,
      ...(command.currentDirectory ? { cwd: command.currentDirectory } : {}),
    });
    await new Promise<void>((resolve, reject) => child.once('spawn', resolve).once('error', reject));
  } finally {
    closeSync(log);
  }
  return supervise(child, logFile, start);
}

function supervise(child: ChildProcess, logFile: string, start: number): Child {
  let end: string | undefined;
  const listeners: ((how: string) => void)[] = [];
  const gone = new Promise<void>((resolve) => {
    child.once('exit', (code, signal) => {
      end = signal ?? `exit code ${code ?? 'unknown'}`;
      resolve();
      for (const listener of listeners) listener(end);
    });
  });
  const pid = child.pid ?? 0;
  const output = async () => (await readFile(logFile)).subarray(start).toString('utf8');
  const signal = (name: NodeJS.Signals) => {
    if (end === undefined) child.kill(name);
  };
  return {
    identity: identifyProcess(pid) ?? { pid, startTime: 'ended' },
    logFile,
    ended: () => end,
    output,
    lastLines: async () => (await output().catch(() => '')).trimEnd().split('\n').slice(-LOG_TAIL_LINES).join('\n'),
    signal,
    async stop(graceMilliseconds) {
      signal('SIGTERM');
      signal('SIGCONT'); // a stopped process would not see the SIGTERM
      const timer = setTimeout(() => signal('SIGKILL'), graceMilliseconds);
      await gone;
      clearTimeout(timer);
    },
    onEnd(listener) {
      if (end === undefined) listeners.push(listener);
      else listener(end);
    },
  };
}

let setpriv: Promise<string | undefined> | undefined;

/** Where setpriv is missing, an orphan may survive a SIGKILL of its parent; `siteDown` then ends it by its identity. */
async function deathSignal(): Promise<readonly string[]> {
  setpriv ??= whichExecutable('setpriv');
  const path = await setpriv;
  return path ? [path, '--pdeathsig', 'KILL', '--'] : [];
}

function rotate(logFile: string): void {
  const size = statSync(logFile, { throwIfNoEntry: false })?.size ?? 0;
  if (size > LOG_ROTATE_BYTES) renameSync(logFile, `${logFile}.1`);
}
