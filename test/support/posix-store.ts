/** File stores on roots of their own below one temporary directory, which goes with the test file. */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before } from 'node:test';
import type { FileStore } from '../../drivers/file-store/port.ts';
import { createPosixFileStore } from '../../drivers/file-store/posix.ts';

/** @returns a maker of stores, each on an empty root; registers the hooks of the file that calls it */
export function posixStores(): () => Promise<FileStore> {
  let base = '';
  let serial = 0;
  before(async () => {
    base = await mkdtemp(join(tmpdir(), 'penstock-posix-'));
  });
  after(() => rm(base, { recursive: true, force: true }));
  return async () => {
    serial += 1;
    const root = join(base, `root-${serial}`);
    await mkdir(root);
    return createPosixFileStore({ name: 'rack r01', root });
  };
}
