/**
 * A tool, whatever it takes: found, or built once per user into the cache. Two processes that need the same tool at the same
 * time build it once; a build that dies leaves nothing under the final name.
 */
import { mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { messageOf } from '../../model/errors.ts';
import { waitForLock } from '../lock.ts';
import { buildWithGo, buildWithMaven, buildWithPip } from './build.ts';
import { installDebian } from './debian.ts';
import { cachedToolDirectory, type FoundTool, findTool, isExecutable, toolVersion } from './find-tool.ts';
import { type Tool, type ToolName, tools } from './tools.ts';

export type ToolLog = (line: string) => void;

const BUILDING = '.building-';

/** @throws one message that says what to install */
export async function resolveTool(name: ToolName, { log = logToStandardError }: { log?: ToolLog } = {}): Promise<FoundTool> {
  const found = await findTool(name);
  if (found) return found;
  const tool = tools[name];
  try {
    return await obtain(tool, log);
  } catch (error) {
    const reason = messageOf(error);
    throw new Error(
      `${tool.name}${tool.version ? ` ${tool.version}` : ''} is needed and could not be obtained: ${reason}\n` +
        `Install ${tool.hint}; or set ${tool.environmentVariable} to its path.`,
      { cause: error },
    );
  }
}

export function logToStandardError(line: string): void {
  process.stderr.write(`${line}\n`);
}

async function obtain(tool: Tool, log: ToolLog): Promise<FoundTool> {
  if (tool.source.kind === 'debian') {
    await installDebian(tool.source.packages, log);
    const found = await findTool(tool.name);
    if (!found) throw new Error(`${tool.source.packages.join(' and ')} installed, but ${tool.binary} is not on the PATH or too old`);
    return { ...found, origin: 'installed' };
  }
  return buildOnce(tool, log);
}

async function buildOnce(tool: Tool, log: ToolLog): Promise<FoundTool> {
  const directory = cachedToolDirectory(tool);
  const built: FoundTool = { path: join(directory, tool.binary), version: tool.version ?? 'unknown', origin: 'built' };
  await mkdir(dirname(directory), { recursive: true });
  const lock = await waitForLock(`${directory}.lock`, (holder) => log(`waiting for process ${holder ?? '?'}, which is building ${tool.name}`));
  try {
    if (await isExecutable(built.path)) return { ...built, origin: 'cache' };
    await removeDeadBuilds(directory);
    const temporary = await mkdtemp(`${directory}${BUILDING}`);
    try {
      await build(tool, temporary, log);
      if (!(await isExecutable(join(temporary, tool.binary)))) throw new Error(`the build made no ${tool.binary}`);
      await refuseOtherVersion(tool, join(temporary, tool.binary));
      await rm(directory, { recursive: true, force: true });
      await rename(temporary, directory);
    } finally {
      await rm(temporary, { recursive: true, force: true });
    }
    return built;
  } finally {
    await lock.release();
  }
}

/** A package's number need not be the number of the program inside. */
async function refuseOtherVersion(tool: Tool, path: string): Promise<void> {
  const version = tool.pinned ? await toolVersion(tool, path) : undefined;
  if (version !== undefined && version !== tool.version) throw new Error(`the build made ${tool.name} ${version}`);
}

/** The lock is ours, so whatever stands there was left by a build that died. */
async function removeDeadBuilds(directory: string): Promise<void> {
  const parent = dirname(directory);
  const dead = (await readdir(parent)).filter((name) => name.startsWith(`${basename(directory)}${BUILDING}`));
  await Promise.all(dead.map((name) => rm(join(parent, name), { recursive: true, force: true })));
}

async function build(tool: Tool, directory: string, log: ToolLog): Promise<void> {
  switch (tool.source.kind) {
    case 'go':
      log(`building ${tool.name} ${tool.version} with go install: about ${tool.source.minutes} minutes, once per user ...`);
      await buildWithGo(tool.source, tool.version ?? 'latest', directory);
      break;
    case 'maven':
      log(`fetching ${tool.name} ${tool.version} with Maven: about ${tool.source.minutes} minute, once per user ...`);
      await buildWithMaven(tool.source, tool.version ?? 'LATEST', directory, tool.binary);
      break;
    case 'pip':
      log(`fetching ${tool.name} ${tool.version} with pip: a few seconds, once per user ...`);
      await buildWithPip(tool.source, directory, tool.binary);
      break;
    case 'debian':
      throw new Error('a Debian package is installed, not built');
    default:
      tool.source satisfies never;
  }
  log(`${tool.name} ${tool.version} is ready in ${cachedToolDirectory(tool)}`);
}
