/** Looks for a tool where it may already be: an environment variable, the PATH, the user's cache. Builds nothing. */
import { execFile } from 'node:child_process';
import { constants, createReadStream } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { cacheDirectory } from '../../drivers/user-cache.ts';
import { type Tool, type ToolName, tools } from './tools.ts';
import { compareVersions, extractVersion } from './versions.ts';

const run = promisify(execFile);

export interface FoundTool {
  readonly path: string;
  /** "unknown" where the tool cannot say. */
  readonly version: string;
  readonly origin: 'environment' | 'path' | 'cache' | 'built' | 'installed';
}

/** @throws where an environment variable names something unusable: an explicit wish is never passed over */
export async function findTool(name: ToolName): Promise<FoundTool | undefined> {
  const tool = tools[name];
  return (await fromEnvironment(tool)) ?? (tool.pinned ? undefined : await fromPath(tool)) ?? (await fromCache(tool));
}

/** Where a built tool's directory is; it appears by a rename, so what exists is whole. */
export function cachedToolDirectory(tool: Tool): string {
  return join(cacheDirectory(), 'tools', `${tool.name}-${tool.version ?? 'any'}`);
}

export async function isExecutable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}

/** The first executable of that name on the PATH. */
export async function whichExecutable(binary: string): Promise<string | undefined> {
  for (const directory of (process.env['PATH'] ?? '').split(delimiter)) {
    if (directory !== '' && (await isExecutable(join(directory, binary)))) return join(directory, binary);
  }
  return undefined;
}

async function fromEnvironment(tool: Tool): Promise<FoundTool | undefined> {
  const path = process.env[tool.environmentVariable];
  if (!path) return undefined;
  if (!(await isExecutable(path))) throw new Error(`${tool.environmentVariable}: ${path} is not an executable file. Correct or unset it.`);
  const version = await toolVersion(tool, path);
  if (tooOld(tool, version)) {
    throw new Error(`${tool.environmentVariable}: ${path} is version ${version}, at least ${tool.minimum} is needed. Correct or unset it.`);
  }
  return { path, version: version ?? 'unknown', origin: 'environment' };
}

async function fromPath(tool: Tool): Promise<FoundTool | undefined> {
  const path = await whichExecutable(tool.binary);
  if (!path) return undefined;
  const version = await toolVersion(tool, path);
  // Someone else's binary whose version cannot be told is not trusted where a minimum matters.
  if (tooOld(tool, version) || (tool.minimum !== undefined && version === undefined)) return undefined;
  return { path, version: version ?? 'unknown', origin: 'path' };
}

async function fromCache(tool: Tool): Promise<FoundTool | undefined> {
  const path = join(cachedToolDirectory(tool), tool.binary);
  return (await isExecutable(path)) ? { path, version: tool.version ?? 'unknown', origin: 'cache' } : undefined;
}

function tooOld(tool: Tool, version: string | undefined): boolean {
  return tool.minimum !== undefined && version !== undefined && compareVersions(version, tool.minimum) < 0;
}

/** What the tool prints about itself; what `go install` built prints no version but carries its module's. */
export async function toolVersion(tool: Tool, path: string): Promise<string | undefined> {
  if (!tool.versionArguments) return undefined;
  const output = await run(path, [...tool.versionArguments], { timeout: 10_000 }).catch(() => undefined);
  const printed = output && !output.stdout.includes('0.0.0-DEV') ? extractVersion(output.stdout.split('\n')[0] ?? '') : undefined;
  return printed ?? (tool.source.kind === 'go' ? await embeddedModuleVersion(path, tool.source.module) : undefined);
}

/** Go records the main module's version in the binary as "mod\tMODULE\tvX.Y.Z\t". */
async function embeddedModuleVersion(path: string, module: string): Promise<string | undefined> {
  const marker = `mod\t${module}\tv`;
  let tail = '';
  for await (const chunk of createReadStream(path, { encoding: 'latin1', highWaterMark: 1 << 20 })) {
    const text = tail + String(chunk);
    const at = text.indexOf(marker);
    if (at >= 0 && at + marker.length + 40 <= text.length) return extractVersion(text.slice(at + marker.length - 1, at + marker.length + 40));
    tail = at >= 0 ? text.slice(at) : text.slice(-marker.length);
  }
  return undefined;
}
