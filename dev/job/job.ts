/**
 * A job, as the node's agent and the application would behave: it writes logs to the spool, results to the output prefix over S3, and
 * checkpoints as two copies in the rack. Used by `npm start` and by the tests; it knows only what the mount plan told it.
 */

import { createHash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import pLimit from 'p-limit';
import type { ObjectStore } from '../../drivers/object-store/port.ts';
import type { CheckpointReservation } from '../../model/checkpoint.ts';
import type { MountPlan } from '../../model/mount-plan.ts';

/** The same bytes for the same seed, incompressible enough to be honest. */
export function seededBytes(seed: string, bytes: number): Buffer {
  const block = Buffer.alloc(Math.min(bytes, 1 << 20));
  for (let at = 0, counter = 0; at < block.length; counter++) {
    at += createHash('sha512').update(`${seed}/${counter}`).digest().copy(block, at);
  }
  const content = Buffer.alloc(bytes, block.length > 0 ? block : undefined);
  // Each MiB differs, so that swapped blocks do not go unnoticed.
  for (let at = 0; at + 8 <= bytes; at += 1 << 20) content.writeBigUInt64LE(BigInt(at), at);
  return content;
}

/** Lines with timestamps, on every node of the plan. */
export async function writeLogs(plan: MountPlan, linesPerNode: number, startedAt = Date.UTC(2026, 0, 1)): Promise<void> {
  for (const { nodeId, logSpool } of plan.scratch) {
    await mkdir(logSpool, { recursive: true });
    const line = (stream: string, index: number) => `${new Date(startedAt + index * 1000).toISOString()} ${nodeId} ${stream} step ${index} of ${linesPerNode}`;
    for (const stream of ['stdout', 'stderr']) {
      const lines = Array.from({ length: stream === 'stdout' ? linesPerNode : Math.ceil(linesPerNode / 10) }, (_, index) => line(stream, index));
      await writeFile(join(logSpool, `${stream}.log`), `${lines.join('\n')}\n`);
    }
  }
}

export async function writeScratch(plan: MountPlan): Promise<void> {
  for (const { path } of plan.scratch) await writeFile(join(path, 'intermediate.bin'), seededBytes(path, 4096));
}

/** Results by name; each is whole when the promise resolves. */
export async function writeOutput(plan: MountPlan, hot: ObjectStore, files: ReadonlyMap<string, Buffer>): Promise<void> {
  const limit = pLimit(16);
  await Promise.all([...files].map(([name, body]) => limit(() => hot.writeBytes(plan.output.bucket, `${plan.output.prefix}${name}`, body))));
}

/** Both copies, side by side, as the two rails of a rack take them. */
export async function writeCheckpoint(reservation: CheckpointReservation, files: ReadonlyMap<string, Buffer>): Promise<void> {
  for (const root of [reservation.localPath, reservation.rackPath]) {
    for (const [name, body] of files) {
      await mkdir(dirname(join(root, name)), { recursive: true });
      await writeFile(join(root, name), body);
    }
  }
}

/** A model's shards: `count` files of `bytesEach`. */
export function checkpointFiles(seed: string, count: number, bytesEach: number): Map<string, Buffer> {
  return new Map(Array.from({ length: count }, (_, index) => [`shard-${String(index).padStart(3, '0')}.bin`, seededBytes(`${seed}/${index}`, bytesEach)]));
}
