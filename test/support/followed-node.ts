/** A node whose job writes to `stdout.log`, a clock, and an archive in memory. */
import { mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FollowedNode } from '../../datapath/logs/follow-node.ts';
import { readNodeLogs } from '../../datapath/logs/node-index.ts';
import { readLogBytes } from '../../datapath/logs/read-logs.ts';
import { createPosixFileStore } from '../../drivers/file-store/posix.ts';
import type { LogChunk, LogStream } from '../../model/log-metadata.ts';
import { type MemoryLogs, memoryLogs } from './memory-logs.ts';

export const CHUNK_BYTES = 64;
export const CHUNK_MS = 60_000;
/** Longer than a renamed file is waited for. */
export const SETTLED_MS = 6_000;

/** Nodes in a directory of their own; stop it. */
export async function nodesBelow() {
  const root = await mkdtemp(join(tmpdir(), 'penstock-follow-'));
  let serial = 0;
  const newNode = async () => {
    serial += 1;
    const directory = `n${serial}/logs`;
    const log = join(root, directory, 'stdout.log');
    await mkdir(join(root, directory), { recursive: true });
    const logs = memoryLogs();
    const clock = { now: Date.parse('2026-11-22T08:00:00Z') };
    const source = createPosixFileStore({ name: 'node n001', root });
    const follow = (chunkBytes = CHUNK_BYTES) =>
      new FollowedNode({
        nodeId: 'n001',
        source,
        directory,
        place: logs.place,
        chunkBytes,
        chunkMs: CHUNK_MS,
        now: () => clock.now,
        waiting: { bytes: 0, limit: Number.POSITIVE_INFINITY },
      });
    /** Everything is one older, as logrotate has it. */
    const shift = async () => {
      const counts = (await readdir(join(root, directory))).flatMap((name) => (name.startsWith('stdout.log.') ? [Number(name.slice(11))] : []));
      for (const count of counts.sort((one, other) => other - one)) await rename(`${log}.${count}`, `${log}.${count + 1}`);
    };
    return { directory: join(root, directory), log, logs, clock, follow, shift };
  };
  return { root, newNode, stop: () => rm(root, { recursive: true, force: true }) };
}

export async function chunksOf(logs: MemoryLogs, stream: LogStream = 'stdout'): Promise<readonly LogChunk[]> {
  const found = (await readNodeLogs(logs.place, 'n001'))?.streams.find((each) => each.stream === stream);
  return found?.state === 'archived' ? found.chunks : [];
}

export async function shipped(logs: MemoryLogs): Promise<string> {
  const pieces: Buffer[] = [];
  for await (const piece of readLogBytes(logs.place, await chunksOf(logs))) pieces.push(piece);
  return Buffer.concat(pieces).toString('latin1');
}
