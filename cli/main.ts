/** The process: real streams, real connections, and an exit code for what happened. */
import { setTimeout as delay } from 'node:timers/promises';
import { runCli } from './run-cli.ts';

// `penstock ... | head` is not an error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));

const exitCode = await runCli(process.argv.slice(2), {
  stdout: (text) => process.stdout.write(text),
  writeBytes: (bytes) => new Promise((resolve) => process.stdout.write(bytes, () => resolve())),
  stderr: (text) => process.stderr.write(text),
  cwd: process.cwd(),
  env: process.env,
  hasColor: process.stdout.isTTY === true && process.stdout.hasColors(),
  // Loaded when needed: `--help` and `site status` answer at once without Temporal's and S3's libraries.
  connect: async ({ temporal }) => (await import('../client/penstock.ts')).connectPenstock({ address: temporal.address, namespace: temporal.namespace }),
  openStores: async (site) => (await import('../drivers/open-site.ts')).openStores(site),
  now: () => new Date(),
  delay: (milliseconds, signal) => delay(milliseconds, undefined, { signal }),
  onInterrupt: (leave) => {
    process.once('SIGINT', leave); // a second one ends the process
    return () => process.off('SIGINT', leave);
  },
});
// A long poll that was given up may still be open: everything is written, so nothing is worth waiting for.
process.stdout.write('', () => process.exit(exitCode));
