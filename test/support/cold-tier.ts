/** A gateway with archive classes: versitygw behind the emulator, whose clock the test turns. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { S3Client } from '@aws-sdk/client-s3';
import { type Access, type RunningColdTier, startColdTierEmulator } from '../../dev/cold-tier-emulator/emulator.ts';
import type { ColdTier } from '../../drivers/cold-tier/port.ts';
import { createS3ColdTier } from '../../drivers/cold-tier/s3.ts';
import { withWriteDefaults } from '../../drivers/cold-tier/write-defaults.ts';
import type { ObjectStore } from '../../drivers/object-store/port.ts';
import { createS3ObjectStore } from '../../drivers/object-store/s3.ts';
import { startGatewayWithBuckets, type TestGateway } from './s3-gateway.ts';

export const MINUTE_MS = 60_000;
export const HOUR_MS = 60 * MINUTE_MS;
export const DAY_MS = 24 * HOUR_MS;
/** Just behind a midnight, so that the end of a restored copy is far from the next. */
const BEGIN = Date.UTC(2030, 0, 1, 0, 10);

export interface TestColdTier {
  readonly gateway: TestGateway;
  readonly objects: ObjectStore;
  /** The same, whose new objects are of class GLACIER. */
  readonly archive: ObjectStore;
  readonly tier: ColdTier;
  /** The SDK, with nothing of ours between. */
  readonly sdk: S3Client;
  readonly clock: { now: number };
  accesses(): Promise<Access[]>;
  /** Ends the emulator and starts another from what it kept. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

export async function startTestColdTier({ expeditedAtOnce = 2 } = {}): Promise<TestColdTier> {
  const gateway = await startGatewayWithBuckets();
  const { region, credentials } = gateway.options;
  const clock = { now: BEGIN };
  const accessLog = join(gateway.directory, 'accesses.jsonl');
  const start = (port: number): Promise<RunningColdTier> =>
    startColdTierEmulator(
      {
        port,
        upstream: { endpoint: gateway.options.endpoint, region, ...credentials },
        stateFile: join(gateway.directory, 'archive.json'),
        accessLog,
        restoreMilliseconds: {
          GLACIER: { Expedited: 5 * MINUTE_MS, Standard: 5 * HOUR_MS, Bulk: 12 * HOUR_MS },
          DEEP_ARCHIVE: { Standard: 12 * HOUR_MS, Bulk: 48 * HOUR_MS },
        },
        dayMilliseconds: DAY_MS,
        expeditedAtOnce,
      },
      { now: () => clock.now },
    );
  let emulator = await start(0);
  const options = { ...gateway.options, name: 'cold', endpoint: emulator.url };
  const objects = createS3ObjectStore(options);
  const sdk = new S3Client({ endpoint: emulator.url, region, credentials, forcePathStyle: true, maxAttempts: 1 });
  return {
    gateway,
    objects,
    archive: withWriteDefaults(objects, { storageClass: 'GLACIER' }),
    tier: createS3ColdTier(options),
    sdk,
    clock,
    accesses: async () =>
      (await readFile(accessLog, 'utf8'))
        .trim()
        .split('\n')
        .map((line): Access => JSON.parse(line)),
    async restart() {
      await emulator.close();
      emulator = await start(Number(new URL(emulator.url).port));
    },
    async stop() {
      sdk.destroy();
      await emulator.close();
      await gateway.stop();
    },
  };
}
