/** The demonstration's data set: the files of the installed packages, which every clone has and which are of all sizes. */
import { readdir, readFile, stat } from 'node:fs/promises';
import { join, relative } from 'node:path';
import pLimit from 'p-limit';
import { formatBytes } from '../../model/quantity.ts';
import type { DemoContext } from './allocation.ts';

export interface Dataset {
  readonly root: string;
  readonly files: readonly { readonly path: string; readonly bytes: number }[];
  readonly bytes: number;
}

const FILE_LIMIT = 5000;
const FILE_BYTES_LIMIT = 16 << 20;

/** Up to 5,000 regular files in path order; links and hidden directories are left out. */
export async function installedPackages(root = 'node_modules'): Promise<Dataset> {
  const files: { path: string; bytes: number }[] = [];
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  const paths = entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
  for (const path of paths) {
    const name = relative(root, path);
    if (name.startsWith('.')) continue;
    const { size } = await stat(path);
    if (size > FILE_BYTES_LIMIT) continue;
    files.push({ path: name, bytes: size });
    if (files.length === FILE_LIMIT) break;
  }
  return { root, files, bytes: files.reduce((sum, file) => sum + file.bytes, 0) };
}

/** Puts the data set into the warm tier, where a data set waits that nobody used for a month. */
export async function seedDataset({ stores, dataset }: DemoContext, show: (line: string) => void): Promise<void> {
  await stores.warm.ensureBucket('training-data');
  const limit = pLimit(32);
  let done = 0;
  await Promise.all(
    dataset.files.map(({ path }) =>
      limit(async () => {
        await stores.warm.writeBytes('training-data', `packages/${path}`, await readFile(join(dataset.root, path)));
        done += 1;
        if (done % 250 === 0) show(`${done} of ${dataset.files.length} files, ${formatBytes(dataset.bytes)} in all`);
      }),
    ),
  );
}
