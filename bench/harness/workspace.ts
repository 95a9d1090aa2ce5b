/**
 * What a benchmark leaves behind: nothing. Directories and processes are entered here when they come to be and go at the end, on failure and on
 * Ctrl-C alike; what a killed benchmark left is swept by the next one.
 */
import { rmSync } from 'node:fs';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { identifyProcess, isAlive } from '../../dev/process-identity.ts';

export interface Workspace {
  /** A new, empty directory below that one. */
  directory(parent: string): Promise<string>;
  /** Runs at the end, last entered first. @returns takes the entry back */
  onLeave(action: () => Promise<void>): () => void;
  /** Everything entered is gone afterwards. */
  leave(): Promise<void>;
}

const PREFIX = 'penstock-bench-';
const SIGNALS = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

export function createWorkspace(): Workspace {
  const actions = new Set<() => Promise<void>>();
  const self = identifyProcess(process.pid);
  const directories: string[] = [];
  let leaving = false;
  const workspace: Workspace = {
    async directory(parent) {
      await mkdir(parent, { recursive: true });
      await sweep(parent);
      const path = join(parent, `${PREFIX}${process.pid}-${self?.startTime ?? 0}-${directories.length}`);
      directories.push(path);
      await mkdir(path, { mode: 0o700 });
      return path;
    },
    onLeave(action) {
      if (leaving) throw new Error('the benchmark is being ended');
      actions.add(action);
      return () => actions.delete(action);
    },
    async leave() {
      leaving = true;
      for (const action of [...actions].toReversed()) {
        actions.delete(action);
        await action().catch((error: unknown) => process.stderr.write(`${String(error)}\n`));
      }
      // Synchronously: on a signal, what still runs here must not make them anew before the exit. A killed client may take a moment to be gone.
      for (const path of directories) rmSync(path, { recursive: true, force: true, maxRetries: 10 });
    },
  };
  for (const [signal, code] of Object.entries(SIGNALS)) process.once(signal, () => void workspace.leave().finally(() => process.exit(code)));
  return workspace;
}

/** Of benchmarks that were killed before they could leave. */
async function sweep(parent: string): Promise<void> {
  for (const name of await readdir(parent)) {
    const [, pid, startTime] = /^penstock-bench-(\d+)-(\d+)-\d+$/.exec(name) ?? [];
    if (pid && startTime && !isAlive({ pid: Number(pid), startTime })) await rm(join(parent, name), { recursive: true, force: true });
  }
}
