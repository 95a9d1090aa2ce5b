/**
 * Knows what each entry must be and looks at the target's disk itself, past every layer of ours: what stands under a final name is whole at any time, and what was
 * acknowledged stays there.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import type { Dirent } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { TEMPORARY_PREFIX } from '../../drivers/file-store/contained-path.ts';

export interface Oracle {
  /** The product says that these are at the target: they are, now and whenever it is asked again. */
  acknowledge(paths: readonly string[]): Promise<void>;
  /** Looks all the time at what stands under a final name; the returned function ends that and fails where it saw anything not whole. */
  watch(): () => Promise<void>;
  /** Everything under a final name is whole, everything acknowledged is there. */
  verify(): Promise<void>;
  /** Files of nobody: unfinished ones of either kind of store. */
  leftovers(): Promise<readonly string[]>;
  readonly acknowledged: ReadonlySet<string>;
}

/** Where versitygw keeps uploads that are under way. */
const GATEWAY_TEMPORARY = '.sgwtmp';
const LOOK_EVERY_MS = 25;

/** @param contents what each path must hold, and nothing else may lie at the target */
export function createOracle(onDisk: string, contents: ReadonlyMap<string, Buffer>): Oracle {
  const digests = new Map([...contents].map(([path, content]) => [path, digestOf(content)]));
  const acknowledged = new Set<string>();
  const found = new Map<string, string>();

  /** @returns the paths that are there, each whole */
  const inspect = async (): Promise<Set<string>> => {
    const paths = (await filesBelow(onDisk)).filter((path) => !isTemporary(path));
    const there = new Set<string>();
    for (const path of paths) {
      const digest = await digestAt(join(onDisk, path), found);
      if (digest === undefined) continue;
      assert.equal(digest, digests.get(path) ?? 'nothing', `what lies under ${path} is not the source's content`);
      there.add(path);
    }
    return there;
  };
  const verify = async (): Promise<void> => {
    found.clear();
    const there = await inspect();
    assert.deepEqual(
      [...acknowledged].filter((path) => !there.has(path)),
      [],
      'acknowledged, and not there',
    );
  };
  return {
    acknowledged,
    verify,
    async acknowledge(paths) {
      for (const path of paths) acknowledged.add(path);
      await verify();
    },
    watch() {
      const end = new AbortController();
      const watching = (async () => {
        for (; !end.signal.aborted; await pause(LOOK_EVERY_MS, undefined, { ref: false })) await inspect();
      })();
      // Told when it is ended.
      watching.catch(() => undefined);
      return async () => {
        end.abort();
        await watching;
      };
    },
    leftovers: async () => (await filesBelow(onDisk)).filter(isTemporary),
  };
}

const isTemporary = (path: string): boolean => path.split('/').some((step) => step === GATEWAY_TEMPORARY || step.startsWith(TEMPORARY_PREFIX));

const digestOf = (content: Buffer): string => createHash('sha256').update(content).digest('hex');

/** Undefined where it is gone meanwhile. What was read once is not read again while the file is the same. */
async function digestAt(path: string, found: Map<string, string>): Promise<string | undefined> {
  const facts = await stat(path, { bigint: true }).catch(ignoreMissing);
  if (!facts) return undefined;
  const version = `${path} ${facts.ino} ${facts.size} ${facts.ctimeNs}`;
  const content = found.has(version) ? undefined : await readFile(path).catch(ignoreMissing);
  const digest = found.get(version) ?? (content && digestOf(content));
  if (digest !== undefined) found.set(version, digest);
  return digest;
}

async function filesBelow(directory: string): Promise<string[]> {
  const entries: Dirent[] = (await readdir(directory, { recursive: true, withFileTypes: true }).catch(ignoreMissing)) ?? [];
  return entries.filter((entry) => !entry.isDirectory()).map((entry) => relative(directory, join(entry.parentPath, entry.name)));
}

function ignoreMissing(error: unknown): undefined {
  if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
  throw error;
}
