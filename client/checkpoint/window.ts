/** The window that a checkpoint is written within while its job waits. It holds for bytes like any other, but nobody waits long for it: rather a least rate than a job that stands. */

import type { CheckpointWriter } from '../../datapath/checkpoint/write-checkpoint.ts';
import { holdWindow, type Lessor } from '../../datapath/transfer/leased-limiter.ts';
import { createRateLimiter, type RateLimiter } from '../../datapath/transfer/rate-limiter.ts';
import type { CheckpointKey } from '../../model/checkpoint.ts';
import { fabricOfRack } from '../../model/fabric.ts';
import type { NodeConfig, Site } from '../../model/site.ts';

export interface AskForBandwidth {
  /** Who asks the fabric's broker; `penstock.brokers` does. */
  readonly lessorOf: (fabric: string) => Lessor;
  /** How much will be written, as far as it is known; more is written all the same. */
  readonly bytes: number;
}

export interface CommitWindow {
  readonly limiter: RateLimiter;
  /** The writer, which says how it fared and gives the window back at its end. */
  around(writer: CheckpointWriter): CheckpointWriter;
}

const PATIENCE_MS = 2000;

/** Undefined where no fabric carries the commits of the node's rack. */
export function commitWindow(
  { fabrics, checkpoints: { leastRate } }: Pick<Site, 'fabrics' | 'checkpoints'>,
  { rackId, id }: NodeConfig,
  { tenant, project, allocationId, checkpointId }: CheckpointKey,
  attempt: string,
  bandwidth: AskForBandwidth | undefined,
): CommitWindow | undefined {
  const fabric = fabricOfRack(fabrics, rackId, 'commits');
  if (fabric === undefined) return undefined;
  if (!bandwidth) return aroundLeastRate(leastRate, 'its writer asks no broker');
  let withoutWindow: string | undefined;
  const wish = {
    holder: `commit/${attempt}/${id}/${tenant}/${project}/${allocationId}/${checkpointId}`.slice(0, MOST_HOLDER),
    class: 'checkpoint' as const,
    tenant,
    bytes: Math.max(1, bandwidth.bytes),
  };
  const onWithout = (why: string): void => {
    withoutWindow ??= why;
  };
  const { limiter, close } = holdWindow(bandwidth.lessorOf(fabric), wish, { bytesPerSecond: leastRate, patienceMilliseconds: PATIENCE_MS, onWithout });
  return { limiter, around: (writer) => saying(writer, () => withoutWindow, close) };
}

/** A request's id has 300 characters, and its number needs some of them. What is cut off does not tell attempts apart. */
const MOST_HOLDER = 280;

function aroundLeastRate(leastRate: number, why: string): CommitWindow {
  return {
    limiter: createRateLimiter(leastRate),
    around: (writer) =>
      saying(
        writer,
        () => why,
        () => Promise.resolve(),
      ),
  };
}

function saying(writer: CheckpointWriter, withoutWindow: () => string | undefined, end: () => Promise<void>): CheckpointWriter {
  return {
    ...writer,
    async commit() {
      const written = await writer.commit();
      const why = withoutWindow();
      return why === undefined ? written : { ...written, withoutWindow: why };
    },
    async close() {
      await writer.close();
      await end();
    },
  };
}
