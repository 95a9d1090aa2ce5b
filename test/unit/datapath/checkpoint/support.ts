/** A rack and a node that hold a committed checkpoint, a hot tier to restore to, and an erasure set in memory. */
import { mkdir, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { commitCopies } from '../../../../datapath/checkpoint/commit.ts';
import { crc32cOf } from '../../../../datapath/transfer/crc32c.ts';
import type { FileStore } from '../../../../drivers/file-store/port.ts';
import { createPosixFileStore } from '../../../../drivers/file-store/posix.ts';
import { COMMIT_RECORD } from '../../../../model/checkpoint.ts';
import type { CheckpointRecord } from '../../../../model/checkpoint-record.ts';
import { PenstockError } from '../../../../model/errors.ts';
import { memorySite } from '../erasure/support.ts';

export const DIRECTORY = 'a1/checkpoints/step-1';
export const PREFIX = 'tenant/project/a1/checkpoints/step-1/';

export async function checkpointSite() {
  const directory = await mkdtemp(join(tmpdir(), 'penstock-drain-'));
  for (const name of ['rack', 'hot']) await mkdir(join(directory, name));
  const rack = createPosixFileStore({ name: 'rack', root: join(directory, 'rack') });
  const hot = createPosixFileStore({ name: 'hot', root: join(directory, 'hot') });
  const racks = memorySite();
  const { signal } = new AbortController();
  const inRack = (path: string) => join(rack.root, DIRECTORY, path);
  return {
    rack,
    hot,
    racks,
    inRack,
    inErasureSet: { racks, prefix: PREFIX, signal },
    drain: { racks, prefix: PREFIX, signal, source: rack, directory: DIRECTORY, attempt: 'one' },
    restore: { racks, prefix: PREFIX, signal, target: hot, directory: 'back', attempt: 'one' },
    /** The same store serves as the node's, and nothing is synced: neither is of interest here. */
    async commit(files: ReadonlyMap<string, Buffer>) {
      for (const [path, content] of files) {
        await mkdir(dirname(inRack(path)), { recursive: true });
        await writeFile(inRack(path), content);
        await utimes(inRack(path), MODIFIED, MODIFIED);
      }
      const store = { ...rack, sync: () => Promise.resolve() };
      return commitCopies({ checkpointId: 'step-1', directory: DIRECTORY, local: store, rack: store, attempt: 'one', signal });
    },
    /** Path to content of what was restored. */
    async restored(): Promise<Map<string, Buffer>> {
      const root = join(hot.root, 'back');
      const entries = await readdir(root, { recursive: true, withFileTypes: true });
      const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
      return new Map(await Promise.all(files.map(async (file) => [file.slice(root.length + 1), await readFile(file)] as const)));
    },
    modifiedAt: async (path: string) => (await stat(join(hot.root, 'back', path))).mtime,
    close: () => rm(directory, { recursive: true }),
  };
}

/** The store with these committed files of the checkpoint in memory, for tests of many. Their checksums are right; how it was committed is of no interest. */
export async function withFilesInMemory(store: FileStore, files: ReadonlyMap<string, Buffer>): Promise<FileStore> {
  const facts = (path: string, content: Buffer) => ({ path, bytes: content.length, modifiedAt: MODIFIED.toISOString(), etag: '' });
  const record: CheckpointRecord = {
    formatVersion: 1,
    checkpointId: 'step-1',
    committedAt: MODIFIED.toISOString(),
    digest: 'of many files',
    bytes: [...files.values()].reduce((sum, { length }) => sum + length, 0),
    files: [...files].map(([path, content]) => ({ path, bytes: content.length, crc32c: crc32cOf(content) })).sort((a, b) => (a.path < b.path ? -1 : 1)),
  };
  await store.write(`${DIRECTORY}/${COMMIT_RECORD}`, Buffer.from(JSON.stringify(record)));
  return {
    ...store,
    async openFile(path) {
      const content = files.get(path.slice(DIRECTORY.length + 1));
      if (!content) throw new PenstockError('NotFound', `${path} is not there.`);
      return {
        facts: facts(path, content),
        read: async (into, position) => void content.copy(into, 0, position),
        verify: async () => undefined,
        nextData: async () => undefined,
        attributes: async () => ({ mode: 0o600 }),
        close: async () => undefined,
      };
    },
  };
}

export const MODIFIED = new Date('2026-03-04T05:06:07.500Z');
