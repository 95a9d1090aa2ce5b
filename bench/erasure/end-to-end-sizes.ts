/** What an object costs by its size: each written, read and removed in one process, for the plot of plot-sizes.ts. */
import { statfs } from 'node:fs/promises';
import { z } from 'zod';
import { nodeCommand } from '../../dev/site/node-process.ts';
import type { BenchContext } from '../harness/bench.ts';
import { availableMemoryBytes } from '../harness/machine.ts';
import { measure } from '../harness/measure.ts';
import { type Row, row } from '../harness/rows.ts';
import type { Place } from './end-to-end.ts';

const KIB = 1024;
const MIB = 2 ** 20;
const GIB = 2 ** 30;
const sizes = {
  quick: [KIB, 64 * KIB, MIB, 16 * MIB, 256 * MIB],
  full: [KIB, 16 * KIB, 64 * KIB, 256 * KIB, MIB, 4 * MIB, 16 * MIB, 64 * MIB, 256 * MIB, GIB, 4 * GIB, 16 * GIB],
};
/** What is stored of a byte of content, rounded up; and what must stay free beside it. */
const STORED = 1.3;
const SPARE_BYTES = 3e9;

const lineSchema = z.object({ bytes: z.number(), objects: z.number(), writeMilliseconds: z.number(), readMilliseconds: z.number() });

export async function sizeRows({ options, workspace }: BenchContext, place: Place): Promise<Row[]> {
  const { bavail, bsize } = await statfs('/dev/shm');
  const room = Math.min(bavail * bsize, availableMemoryBytes()) - SPARE_BYTES;
  const fitting = sizes[options.quick ? 'quick' : 'full'].filter((bytes) => bytes * STORED <= room);
  const command = nodeCommand('bench/erasure/end-to-end-ours.ts', ['sizes', place.url, fitting.join(',')]);
  const { peakRssBytes, stdout } = await measure(workspace, { ...command, environment: place.environment });
  // The first line tells how long it took to start.
  const lines = stdout
    .trimEnd()
    .split('\n')
    .slice(1)
    .map((line) => lineSchema.parse(JSON.parse(line)));
  return [
    ...lines.flatMap(({ bytes, readMilliseconds, writeMilliseconds }) => [
      row({ case: `sizes/${place.kind}/${nameOf(bytes)}`, metric: 'write', unit: 'ms', ours: writeMilliseconds }),
      row({ case: `sizes/${place.kind}/${nameOf(bytes)}`, metric: 'read', unit: 'ms', ours: readMilliseconds }),
    ]),
    row({
      case: `sizes/${place.kind}/all`,
      metric: 'peak RSS',
      unit: 'MB',
      ours: peakRssBytes / 1e6,
      goal: { comparison: '<=', limit: 400, unit: 'MB' },
    }),
  ];
}

function nameOf(bytes: number): string {
  if (bytes < MIB) return `${bytes / KIB}KiB`;
  return bytes < GIB ? `${bytes / MIB}MiB` : `${bytes / GIB}GiB`;
}
