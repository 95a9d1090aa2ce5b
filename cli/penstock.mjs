#!/usr/bin/env node
/** `penstock`: starts cli/main.ts with the Node 24 among the dependencies, whatever Node (from 20 on) was asked to run this file. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const bundled = join(here, '..', 'node_modules', '.bin', 'node');
/** The first release that runs our TypeScript files as they are. */
const OLDEST_OWN_NODE = 24;

const runtime = existsSync(bundled) ? bundled : Number(process.versions.node.split('.')[0]) >= OLDEST_OWN_NODE ? process.execPath : undefined;
if (!runtime) {
  console.error(`penstock needs Node ${OLDEST_OWN_NODE}, which \`npm ci\` in ${join(here, '..')} installs.`);
  process.exit(1);
}

/** Compiled code is kept between runs: half of the time a command takes to start. */
const compileCache = process.env.NODE_COMPILE_CACHE ?? join(here, '..', 'node_modules', '.cache', 'compile');
/** Of each write under way one: `checkpoint write` has up to 16 chunks on their way to two stores. It must be known before the process begins. */
const threads = process.env.UV_THREADPOOL_SIZE ?? (process.argv.includes('checkpoint') ? '32' : undefined);
const child = spawn(runtime, [join(here, 'main.ts'), ...process.argv.slice(2)], {
  stdio: 'inherit',
  env: { ...process.env, NODE_COMPILE_CACHE: compileCache, ...(threads ? { UV_THREADPOOL_SIZE: threads } : {}) },
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR2']) {
  process.on(signal, () => {
    // A terminal sends Ctrl-C to both; a second one would count as impatience.
    if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal);
  });
}
child.once('error', (error) => {
  console.error(`penstock could not start ${runtime}: ${error.message}`);
  process.exit(1);
});
child.once('exit', (code, signal) => process.exit(code ?? 128 + (constants.signals[signal] ?? 0)));
