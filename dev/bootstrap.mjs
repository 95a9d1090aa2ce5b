/**
 * `node dev/bootstrap.mjs FILE [ARGUMENTS]`: runs one of our TypeScript files with everything it needs. Plain JavaScript for any
 * Node from 20 on; installs the dependencies where package-lock.json has changed, then hands over to the Node 24 among them.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual } from 'node:util';

const repository = join(dirname(fileURLToPath(import.meta.url)), '..');
const nodeModules = join(repository, 'node_modules');
const runtime = join(nodeModules, '.bin', 'node');
/** Holds the hash of the lock file that node_modules was installed from. */
const marker = join(nodeModules, '.penstock-installed');
const lockDirectory = join(repository, '.penstock', 'install.lock');
const quiet = ['--no-fund', '--no-audit', '--loglevel=error'];
const OLDEST_NODE = 20;
const STALE_LOCK_MINUTES = 15;

const [file, ...parameters] = process.argv.slice(2);
try {
  if (!file) throw new Error('usage: node dev/bootstrap.mjs FILE [ARGUMENTS]');
  if (Number(process.versions.node.split('.')[0]) < OLDEST_NODE) {
    throw new Error(`Node ${process.versions.node} is too old to start Penstock. Install Node ${OLDEST_NODE} or newer with npm.`);
  }
  await ensureDependencies();
  await handOver(runtime, [file, ...parameters]);
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  process.exit(1);
}

async function ensureDependencies() {
  if (isInstalled()) return;
  await withInstallLock(async () => {
    if (isInstalled()) return;
    console.error('installing dependencies with npm ci: about a minute, again only when package-lock.json changes ...');
    await install();
    writeFileSync(marker, lockFileHash());
  });
}

function isInstalled() {
  if (!existsSync(runtime)) return false;
  return (existsSync(marker) && readFileSync(marker, 'utf8') === lockFileHash()) || installedByHand();
}

/** After an `npm ci` or `npm install` by hand there is no marker of ours, but npm's own record of what it installed. */
function installedByHand() {
  const record = join(nodeModules, '.package-lock.json');
  if (!existsSync(record)) return false;
  const installed = readJson(record).packages ?? {};
  const locked = readJson(join(repository, 'package-lock.json')).packages ?? {};
  // Optional packages of other platforms are locked but not installed.
  return Object.entries(locked).every(
    ([path, entry]) => path === '' || (installed[path] ? installed[path].version === entry.version : entry.optional === true),
  );
}

function readJson(path) {
  return JSON.parse(readFileSync(path, 'utf8'));
}

function lockFileHash() {
  return createHash('sha256')
    .update(readFileSync(join(repository, 'package-lock.json')))
    .digest('hex');
}

async function install() {
  let { code, output } = await runQuietly('npm', ['ci', ...quiet]);
  // A lock file made where the registry had no packages for other platforms lacks those, and `npm ci` refuses it although it
  // pins everything for its own. `npm install --no-save` takes the same versions with the same integrity and leaves the file alone.
  if (output.includes('EUSAGE') && lockFileMatchesManifest()) ({ code, output } = await runQuietly('npm', ['install', '--no-save', ...quiet]));
  if (code === 'ENOENT') throw new Error('npm is not installed. Install Node 20 or newer together with npm.');
  if (code !== 0 || !existsSync(runtime)) {
    const reason = output.trim().split('\n').slice(0, 15).join('\n'); // npm says first what is wrong, then how it is used
    throw new Error(
      `npm ci failed:\n${reason}\nPenstock needs npm with access to a package registry, install scripts not switched off, and ${repository} to be writable.`,
    );
  }
}

function lockFileMatchesManifest() {
  const manifest = readJson(join(repository, 'package.json'));
  const locked = readJson(join(repository, 'package-lock.json')).packages?.[''] ?? {};
  return ['dependencies', 'devDependencies'].every((kind) => isDeepStrictEqual(manifest[kind] ?? {}, locked[kind] ?? {}));
}

/** Two commands started at once must not run two `npm ci` over each other: each removes node_modules first. */
async function withInstallLock(action) {
  mkdirSync(dirname(lockDirectory), { recursive: true });
  for (;;) {
    try {
      mkdirSync(lockDirectory);
      break;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
      if (isStale()) rmSync(lockDirectory, { recursive: true, force: true });
      else await new Promise((resolve) => setTimeout(resolve, 500));
    }
  }
  try {
    writeFileSync(join(lockDirectory, 'pid'), String(process.pid));
    await action();
  } finally {
    rmSync(lockDirectory, { recursive: true, force: true });
  }
}

function isStale() {
  try {
    const pid = Number(readFileSync(join(lockDirectory, 'pid'), 'utf8'));
    if (pid > 0) process.kill(pid, 0);
    return Date.now() - statSync(lockDirectory).mtimeMs > STALE_LOCK_MINUTES * 60_000;
  } catch (error) {
    if (error.code === 'ESRCH') return true;
    // No pid yet: its owner is about to write it, unless it died in between.
    return existsSync(lockDirectory) && Date.now() - statSync(lockDirectory).mtimeMs > 10_000;
  }
}

function runQuietly(command, commandParameters) {
  return new Promise((resolve) => {
    const child = spawn(command, commandParameters, { cwd: repository, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    const dots = setInterval(() => process.stderr.write('.'), 2000);
    const finish = (code) => {
      clearInterval(dots);
      process.stderr.write('\n');
      resolve({ code, output });
    };
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output = (output + chunk).slice(0, 20_000)));
    child.once('error', (error) => finish(error.code));
    child.once('close', finish);
  });
}

/** Becomes the child as far as anyone can tell: its input and output, its signals, its exit code. */
async function handOver(command, commandParameters) {
  // Compiled code is kept between runs, also by the processes started from here: half of the time each takes to start.
  const compileCache = process.env.NODE_COMPILE_CACHE ?? join(nodeModules, '.cache', 'compile');
  const child = spawn(command, commandParameters, { stdio: 'inherit', env: { ...process.env, NODE_COMPILE_CACHE: compileCache } });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR2']) {
    process.on(signal, () => {
      // The terminal sends Ctrl-C to both; a second one would count as impatience.
      if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal);
    });
  }
  const code = await new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (exitCode, signal) => resolve(exitCode ?? 128 + (constants.signals[signal] ?? 0)));
  });
  process.exit(code);
}
