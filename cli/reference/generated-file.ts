/** Files of the repository that are made from code, so that they cannot say anything else. Tests hold them current. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export interface GeneratedFile {
  /** Below the repository. */
  readonly path: string;
  readonly content: string;
}

const repository = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

/** @returns the paths that changed */
export async function writeGenerated(files: readonly GeneratedFile[]): Promise<string[]> {
  const changed: string[] = [];
  for (const file of files) {
    if (await isCurrent(file)) continue;
    await mkdir(dirname(join(repository, file.path)), { recursive: true });
    await writeFile(join(repository, file.path), file.content);
    changed.push(file.path);
  }
  return changed;
}

export async function isCurrent({ path, content }: GeneratedFile): Promise<boolean> {
  return (await readFile(join(repository, path), 'utf8').catch(() => undefined)) === content;
}
