/** The workflows' code in one file, as a worker loads it. Webpack needs four seconds of processor for it, so what it made is kept beside the installed packages. */
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode, type WorkflowBundleWithSourceMap } from '@temporalio/worker';

const repository = fileURLToPath(new URL('..', import.meta.url));
/** All that a bundle may hold beside what is installed (test/unit/boundaries.test.ts). */
const SOURCES = ['workflows', 'model'];
const INSTALLED = 'package-lock.json';
const KEPT_IN = join(repository, 'node_modules', '.cache', 'workflow-bundle');

interface Bundling {
  /** Where it is kept. */
  readonly directory: string;
  readonly make: (options: { workflowsPath: string }) => Promise<WorkflowBundleWithSourceMap>;
}

/** The bundle that production runs, and that replay tests replay. */
export async function bundleWorkflows({ directory, make }: Partial<Bundling> = {}): Promise<WorkflowBundleWithSourceMap> {
  const file = join(directory ?? KEPT_IN, `${await hashOfSources()}.js`);
  const kept = await readKept(file);
  if (kept !== undefined) return { code: kept, sourceMap: '' };
  const bundle = await (make ?? bundleWorkflowCode)({ workflowsPath: join(repository, 'workflows', 'index.ts') });
  // Packages may be installed where this user cannot write: then every start bundles.
  await keep(file, bundle.code).catch(() => undefined);
  return bundle;
}

/** Names and contents; also where they lie, for a bundle names its files so. */
async function hashOfSources(): Promise<string> {
  const files = await Promise.all(
    SOURCES.map(async (folder) => (await readdir(join(repository, folder), { recursive: true })).map((name) => join(folder, name))),
  );
  const typescript = files.flat().filter((name) => name.endsWith('.ts'));
  const hash = createHash('sha256').update(repository).update(process.cwd());
  for (const name of [INSTALLED, ...typescript.sort()]) hash.update(`\0${name}\0`).update(await readFile(join(repository, name)));
  return hash.digest('hex');
}

/** Undefined where there is none, or not the whole of it: a power cut may leave half a file. */
async function readKept(file: string): Promise<string | undefined> {
  const text = await readFile(file, 'utf8').catch(() => '');
  const code = text.slice(text.indexOf('\n') + 1);
  return text === withChecksum(code) ? code : undefined;
}

const withChecksum = (code: string): string => `// sha256 ${createHash('sha256').update(code).digest('hex')}\n${code}`;

/** In place of older ones. */
async function keep(file: string, code: string): Promise<void> {
  const directory = dirname(file);
  await mkdir(directory, { recursive: true });
  const older = (await readdir(directory)).filter((name) => name !== basename(file));
  const temporary = `${file}.${process.pid}`;
  await writeFile(temporary, withChecksum(code));
  await rename(temporary, file);
  for (const name of older) await rm(join(directory, name), { force: true });
}
