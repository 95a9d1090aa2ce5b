/** File stores on roots of their own below one temporary directory, which goes with the test file. */
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before } from 'node:test';
import { TEMPORARY_PREFIX } from '../../drivers/file-store/contained-path.ts';
import type { FileStore } from '../../drivers/file-store/port.ts';
import { createPosixFileStore } from '../../drivers/file-store/posix.ts';

/** A file system in memory, another than the temporary directory's on most machines. */
export const MEMORY = '/dev/shm';

/** @param below a directory to make them in @returns a maker of stores, each on an empty root; registers the hooks of the file that calls it */
export function posixStores(below: string = tmpdir()): () => Promise<FileStore> {
  let base = '';
  let serial = 0;
  before(async () => {
    base = await mkdtemp(join(below, 'penstock-posix-'));
  });
  after(() => rm(base, { recursive: true, force: true }));
  return async () => {
    serial += 1;
    const root = join(base, `root-${serial}`);
    await mkdir(root);
    return createPosixFileStore({ name: 'rack r01', root });
  };
}

/** Unfinished files anywhere in the store. */
export const temporariesOf = async (store: FileStore): Promise<string[]> =>
  (await readdir(store.root, { recursive: true })).filter((name) => name.includes(TEMPORARY_PREFIX));
