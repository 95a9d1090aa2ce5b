/** A real versitygw for a test file: its own tree, port and credentials, gone with it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, LOOPBACK, releasePort } from '../../dev/site/ports.ts';
import { gatewayFlags } from '../../dev/site/s3-gateway.ts';
import { resolveTool } from '../../dev/toolchain/resolve-tool.ts';
import type { ObjectStore } from '../../drivers/object-store/port.ts';
import { createS3ObjectStore } from '../../drivers/object-store/s3.ts';
import type { S3StoreOptions } from '../../drivers/object-store/s3-client.ts';
import { eventually } from './wait.ts';

export interface TestGateway {
  /** Options for a store, or for a client of a test's own. */
  readonly options: S3StoreOptions;
  readonly store: ObjectStore;
  /** A bucket is a directory here. */
  readonly root: string;
  /** Scratch space beside it. */
  readonly directory: string;
  stop(): Promise<void>;
}

/** With the bucket `data`, and `locked` under Object Lock. */
export async function startGatewayWithBuckets(): Promise<TestGateway> {
  const gateway = await startTestGateway();
  await gateway.store.ensureBucket('data');
  await gateway.store.ensureBucket('locked', { objectLock: true });
  return gateway;
}

export async function startTestGateway(name = 'warm'): Promise<TestGateway> {
  const directory = await mkdtemp(join(tmpdir(), 'penstock-s3-'));
  const root = join(directory, 'root');
  const versioningDirectory = join(directory, 'versions');
  await Promise.all([mkdir(root), mkdir(versioningDirectory)]);
  const port = await freePort();
  const credentials = { accessKeyId: 'penstock', secretAccessKey: 'a test secret' };
  const { path: binary } = await resolveTool('versitygw');
  const flags = gatewayFlags({ ...credentials, name, binary, root, port, region: 'us-east-1', versioningDirectory });
  const gateway = spawn(binary, flags, {
    stdio: 'ignore',
    env: { ROOT_ACCESS_KEY_ID: credentials.accessKeyId, ROOT_SECRET_ACCESS_KEY: credentials.secretAccessKey },
  });
  const endpoint = `http://${LOOPBACK}:${port}`;
  await eventually(
    'versitygw to answer',
    async () => {
      const answer = await fetch(`${endpoint}/penstock-health`);
      await answer.body?.cancel();
      return answer.ok || undefined;
    },
    20_000,
  );
  const options = { name, endpoint, region: 'us-east-1', credentials };
  return {
    options,
    store: createS3ObjectStore(options),
    root,
    directory,
    async stop() {
      const exited = once(gateway, 'exit');
      gateway.kill('SIGTERM');
      await exited;
      releasePort(port);
      await rm(directory, { recursive: true, force: true });
    },
  };
}
