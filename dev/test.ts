/**
 * `npm test [-- FILE...]`: everything a change is held to. Tools first, because a missing part must fail loudly and not skip; then types,
 * format and lint; then every test in one run of Node's test runner, whose closing lines are the last thing printed.
 */
import { spawn } from 'node:child_process';
import { glob } from 'node:fs/promises';
import { messageOf } from '../model/errors.ts';
import { findTool } from './toolchain/find-tool.ts';
import { resolveIsal } from './toolchain/libisal.ts';
import { resolveTool } from './toolchain/resolve-tool.ts';
import type { ToolName } from './toolchain/tools.ts';

const bin = (name: string): string => `node_modules/.bin/${name}`;
const NEEDED: readonly ToolName[] = ['temporal', 'versitygw', 'test-server'];
/** Debian packages that need root: installed in CI, only looked for on a person's machine. */
const NFS: readonly ToolName[] = ['ganesha', 'nfs-ls', 'nfs-cat'];
/** A file waits half of its time, for leases, deadlines and servers that come back: three fill two cores; more would only make every wait longer. */
const FILES_AT_ONCE = 3;

/** Of a file or a test in it; the slowest kills every process in turn and takes four minutes. */
const LIMIT_MS = 900_000;
/** Of everything: a file whose process does not end after its tests has no other limit. The runner then says which one it was. */
const WHOLE_LIMIT_MS = 3_600_000;

const checks: readonly (readonly [name: string, command: string, ...args: string[]])[] = [
  ['types', bin('tsc'), '--noEmit'],
  ['format and lint', bin('biome'), 'ci', '--diagnostic-level=warn'],
  ['promises', bin('oxlint'), '--type-aware', '--deny-warnings'],
  ['documents', process.execPath, 'docs/tools/check-docs.ts'],
];

const named = process.argv.slice(2);
await prepareTools();
if (named.length === 0) {
  for (const [name, command, ...args] of checks) {
    process.stderr.write(`checking ${name}\n`);
    if ((await run(command, args)) !== 0) fail(`${name}: see above; \`npx biome check --write\` mends most of format and lint`);
  }
}
const files = named.length > 0 ? named : await allTests();
process.exit(await run(process.execPath, ['--test', `--test-concurrency=${FILES_AT_ONCE}`, `--test-timeout=${LIMIT_MS}`, '--test-reporter=spec', ...files]));

async function prepareTools(): Promise<void> {
  const missing: string[] = [];
  for (const name of NEEDED) {
    await resolveTool(name).catch((error: unknown) => missing.push(messageOf(error)));
  }
  await resolveIsal().catch((error: unknown) => missing.push(messageOf(error)));
  for (const name of NFS) {
    if (await findTool(name)) continue;
    if (process.env['CI']) await resolveTool(name).catch((error: unknown) => missing.push(messageOf(error)));
    else process.stderr.write(`${name} is not installed: the NFS tests are left out here, and fail in CI\n`);
  }
  if (missing.length > 0) fail(`cannot test without:\n${missing.join('\n')}`);
}

async function allTests(): Promise<string[]> {
  const found: string[] = [];
  for await (const file of glob('test/**/*.test.ts')) found.push(file);
  return found.sort(unitFirst);
}

/** What is quick tells first. */
function unitFirst(a: string, b: string): number {
  const rank = (file: string) => (file.startsWith('test/unit/') ? 0 : 1);
  return rank(a) - rank(b) || (a < b ? -1 : 1);
}

function run(command: string, args: readonly string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: 'inherit', timeout: WHOLE_LIMIT_MS });
    child.once('error', reject);
    child.once('exit', (code, signal) => resolve(signal ? 1 : (code ?? 1)));
  });
}

function fail(message: string): never {
  process.stderr.write(`\n${message}\n`);
  process.exit(1);
}
