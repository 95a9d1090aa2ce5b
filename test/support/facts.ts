/** What the stores really hold, read directly: the tests believe these and not what an answer says. */
import { createHash } from 'node:crypto';
import { lstat, readdir, readFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import type { ObjectStore } from '../../drivers/object-store/port.ts';
import { PenstockError } from '../../model/errors.ts';

export const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

/** Path to content digest of every regular file below a directory; empty where it does not exist. */
export async function treeDigests(root: string): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const entry of await readdir(root, { recursive: true, withFileTypes: true }).catch(() => [])) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    found.set(relative(root, path), sha256(await readFile(path)));
  }
  return found;
}

export const digestsOf = (files: ReadonlyMap<string, Buffer>): Map<string, string> => new Map([...files].map(([path, body]) => [path, sha256(body)]));

/** Key (below the prefix) to content digest of every object; empty where the bucket does not exist. */
export async function objectDigests(store: ObjectStore, bucket: string, prefix: string): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const key of await objectKeys(store, bucket, prefix)) found.set(key.slice(prefix.length), sha256(await store.readBytes(bucket, key)));
  return found;
}

export async function objectKeys(store: ObjectStore, bucket: string, prefix: string): Promise<string[]> {
  const keys: string[] = [];
  let after: string | undefined;
  do {
    try {
      const page = await store.list(bucket, prefix, after === undefined ? {} : { after });
      keys.push(...page.entries.map((entry) => entry.key));
      after = page.next;
    } catch (error) {
      if (error instanceof PenstockError && error.type === 'NotFound') return keys;
      throw error;
    }
  } while (after !== undefined);
  return keys;
}

export const exists = (path: string): Promise<boolean> =>
  lstat(path).then(
    () => true,
    () => false,
  );
export const sorted = <V>(map: ReadonlyMap<string, V>): [string, V][] => [...map].sort(([a], [b]) => (a < b ? -1 : 1));
