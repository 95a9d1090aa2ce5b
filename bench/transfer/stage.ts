/** Where a group of cases plays: local files, a gateway that holds the same, and a second one for copies between endpoints; all of it gone afterwards. */
import { execFile } from 'node:child_process';
import { mkdir, open, rm, statfs } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { createCertificate } from '../harness/certificate.ts';
import { bucketDirectory, type Gateway, startGateway } from '../harness/gateway.ts';
import { availableMemoryBytes } from '../harness/machine.ts';
import { measure } from '../harness/measure.ts';
import type { Workspace } from '../harness/workspace.ts';
import type { Operation, Stage, Storage } from './cases.ts';
import type { Client, Place, Task } from './client.ts';
import { checkArrived, createFiles, totalBytes } from './workload.ts';

export interface PreparedStage {
  readonly gateways: readonly Gateway[];
  /**
   * What earlier runs left behind would be the next one's cost. On disk, what is still to be written is written now; in memory, pages that a virtual
   * machine has given back to its host are fetched again, which takes up to a second per gigabyte.
   */
  settle(): Promise<void>;
  /** A task with an empty target of its own. */
  task(operation: Operation): Promise<Task>;
  /** @throws where not everything arrived */
  check(task: Task): Promise<void>;
  /** Removes what arrived. */
  clear(task: Task): Promise<void>;
  end(): Promise<void>;
}

const exec = promisify(execFile);
const BUCKET = 'bench';
const SEED = 'seed';
const parents: Readonly<Record<Storage, string>> = { memory: '/dev/shm', disk: resolve('.penstock') };
/** Local files, the same in the gateway, and one target. */
const COPIES_AT_ONCE = 3;
/** What the host takes back while a longer run goes on cannot be kept from it. */
const MOST_TOUCHED_BYTES = 2 ** 30;
/** For the gateways' and clients' own memory, and the machine's. */
const SPARE_BYTES = 3e9;

/** @param seeder puts the content into the gateway, where an operation reads it there */
export async function prepareStage(workspace: Workspace, stage: Stage, seeder: Client): Promise<PreparedStage> {
  const { storage, transport, workload, operations } = stage;
  const root = await workspace.directory(parents[storage]);
  await refuseTooLarge(root, stage);
  const [local, logs] = [join(root, 'local'), join(root, 'logs')];
  const roots = ['first', ...(operations.includes('stream') ? ['second'] : [])].map((name) => join(root, name));
  for (const path of [local, logs, ...roots.map((gatewayRoot) => join(gatewayRoot, BUCKET))]) await mkdir(path, { recursive: true });
  createFiles(workload, join(local, SEED));
  const tls = transport === 'tls' ? { certificate: await createCertificate(root) } : {};
  const gateways: Gateway[] = [];
  for (const [index, gatewayRoot] of roots.entries())
    gateways.push(await startGateway(workspace, { name: `gateway-${index}`, root: gatewayRoot, logs, ...tls }));
  const [first, second] = gateways;
  if (!first) throw new Error('no gateway was started');

  let targets = 0;
  const place = (gateway: Gateway | undefined, name: string): Place =>
    gateway ? { kind: 'objects', gateway, bucket: BUCKET, prefix: name } : { kind: 'directory', path: join(local, name) };
  const pathOf = (at: Place): string => (at.kind === 'directory' ? at.path : bucketDirectory(at.gateway, at.bucket, at.prefix));
  const ends: Readonly<Record<Operation, readonly [source: Gateway | undefined, target: Gateway | undefined]>> = {
    up: [undefined, first],
    down: [first, undefined],
    copy: [first, first],
    stream: [first, second],
  };
  const prepared: PreparedStage = {
    gateways,
    async settle() {
      if (storage === 'disk') await exec('sync', ['-f', root]);
      else await touchPages(join(root, 'scratch'), Math.min(totalBytes(workload), MOST_TOUCHED_BYTES));
    },
    async task(operation) {
      targets += 1;
      const [source, target] = ends[operation];
      const task: Task = { operation, workload, source: place(source, SEED), target: place(target, `target-${targets}`) };
      if (task.target.kind === 'directory') await mkdir(task.target.path);
      return task;
    },
    check: (task) => checkArrived(workload, pathOf(task.target)),
    clear: (task) => rm(pathOf(task.target), { recursive: true, force: true }),
    async end() {
      for (const gateway of gateways) await gateway.stop();
      await rm(root, { recursive: true, force: true });
    },
  };
  if (operations.some((operation) => operation !== 'up')) {
    const seed: Task = { operation: 'up', workload, source: place(undefined, SEED), target: place(first, SEED) };
    const command = seeder.command(seed);
    if (!command) throw new Error(`${seeder.name} cannot upload`);
    await measure(workspace, command);
    await prepared.check(seed);
  }
  return prepared;
}

async function refuseTooLarge(root: string, { storage, workload }: Stage): Promise<void> {
  const { bavail, bsize } = await statfs(root);
  const needed = COPIES_AT_ONCE * totalBytes(workload) + SPARE_BYTES;
  const free = storage === 'memory' ? Math.min(bavail * bsize, availableMemoryBytes()) : bavail * bsize;
  if (free < needed) throw new Error(`${workload.name} needs ${(needed / 1e9).toFixed(0)} GB of ${storage}, ${(free / 1e9).toFixed(0)} GB are free`);
}

async function touchPages(file: string, bytes: number): Promise<void> {
  const block = Buffer.alloc(4 << 20, 1);
  const handle = await open(file, 'w');
  try {
    for (let at = 0; at < bytes; at += block.length) await handle.write(block);
  } finally {
    await handle.close();
    await rm(file);
  }
}
