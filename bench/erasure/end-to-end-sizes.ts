/** What an object costs by its size: each written, read and removed in one process, for the plot of plot-sizes.ts. */
import { statfs } from 'node:fs/promises';
import { z } from 'zod';
import { nodeCommand } from '../../dev/site/node-process.ts';
import type { BenchContext, BenchOptions } from '../harness/bench.ts';
import { availableMemoryBytes } from '../harness/machine.ts';
import { measure } from '../harness/measure.ts';
import { type Row, row } from '../harness/rows.ts';
import type { Place, PlaceKind } from './end-to-end-places.ts';

const KIB = 1024;
const MIB = 2 ** 20;
const GIB = 2 ** 30;
const allSizes = [KIB, 16 * KIB, 64 * KIB, 256 * KIB, MIB, 4 * MIB, 16 * MIB, 64 * MIB, 256 * MIB, GIB, 4 * GIB, 16 * GIB];
const quickSizes = [KIB, 64 * KIB, MIB, 16 * MIB];
/** For each size: long enough that the clock and the first stripe do not show. */
const MILLISECONDS_PER_SIZE = { full: 1_000, quick: 200 };
/** What is stored of a byte of content, rounded up; and what must stay free beside it. */
const STORED = 1.3;
const SPARE_BYTES = 3e9;

const lineSchema = z.object({ bytes: z.number(), objects: z.number(), writeMilliseconds: z.number(), readMilliseconds: z.number() });

/** `--case` also names those that a run leaves out by itself: of a quick one all but some on directories, of any those on the disk. */
export function wantedSizes({ cases, quick }: BenchOptions, kind: PlaceKind): readonly number[] {
  if (cases) return allSizes.filter((bytes) => cases.test(caseOf(kind, bytes)));
  if (quick) return kind === 'posix' ? quickSizes : [];
  return kind === 'disk' ? [] : allSizes;
}

/** @returns also the names of the cases that there is no room for */
export async function sizeRows(
  { options, workspace, log }: BenchContext,
  place: Place,
  wanted: readonly number[],
): Promise<{ rows: Row[]; leftOut: string[] }> {
  const room = await roomOf(place);
  const leftOut = wanted.filter((bytes) => bytes * STORED > room).map((bytes) => caseOf(place.kind, bytes));
  const fitting = wanted.filter((bytes) => bytes * STORED <= room);
  if (fitting.length === 0) return { rows: [], leftOut };
  log(`sizes/${place.kind}: ${fitting.map(nameOf).join(', ')} ...`);
  const milliseconds = MILLISECONDS_PER_SIZE[options.quick ? 'quick' : 'full'];
  const command = nodeCommand('bench/erasure/end-to-end-ours.ts', ['sizes', place.url, fitting.join(','), String(milliseconds)]);
  const { peakRssBytes, stdout } = await measure(workspace, { ...command, environment: place.environment });
  // The first line tells how long it took to start.
  const lines = stdout
    .trimEnd()
    .split('\n')
    .slice(1)
    .map((line) => lineSchema.parse(JSON.parse(line)));
  const rows = [
    ...lines.flatMap(({ bytes, readMilliseconds, writeMilliseconds }) => [
      row({ case: caseOf(place.kind, bytes), metric: 'write', unit: 'ms', ours: writeMilliseconds }),
      row({ case: caseOf(place.kind, bytes), metric: 'read', unit: 'ms', ours: readMilliseconds }),
    ]),
    row({
      case: `sizes/${place.kind}/all`,
      metric: 'peak RSS',
      unit: 'MB',
      ours: peakRssBytes / 1e6,
      goal: { comparison: '<=', limit: 400, unit: 'MB' },
    }),
  ];
  return { rows, leftOut };
}

async function roomOf({ kind, directory }: Place): Promise<number> {
  const { bavail, bsize } = await statfs(directory);
  return (kind === 'disk' ? bavail * bsize : Math.min(bavail * bsize, availableMemoryBytes())) - SPARE_BYTES;
}

const caseOf = (kind: PlaceKind, bytes: number): string => `sizes/${kind}/${nameOf(bytes)}`;

function nameOf(bytes: number): string {
  if (bytes < MIB) return `${bytes / KIB}KiB`;
  return bytes < GIB ? `${bytes / MIB}MiB` : `${bytes / GIB}GiB`;
}
