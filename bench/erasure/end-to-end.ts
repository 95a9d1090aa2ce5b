/**
 * One large object into 18 racks and back, beside rclone's plain copy of the same bytes to one bucket of the same gateway, in turns; healthy against degraded reads; and
 * what objects of all sizes cost. All but the sizes of `sizes/disk` lies in memory file systems.
 */
import { join } from 'node:path';
import type { Bench, BenchContext, BenchOutcome } from '../harness/bench.ts';
import { describeFlags } from '../harness/gateway.ts';
import type { Row } from '../harness/rows.ts';
import { rcloneClient } from '../transfer/rclone.ts';
import { prepareStage } from '../transfer/stage.ts';
import type { Workload } from '../transfer/workload.ts';
import { largeObjectRows } from './end-to-end-large.ts';
import { openPlace, type PlaceKind, placeKinds } from './end-to-end-places.ts';
import { sizeRows, wantedSizes } from './end-to-end-sizes.ts';

export const endToEndPart: Pick<Bench, 'tools' | 'run'> = { tools: ['versitygw', 'rclone'], run: runEndToEnd };

const full: Workload = { name: '4GiB', files: 1, bytesEach: 4 * 2 ** 30 };
const quick: Workload = { name: '192MiB', files: 1, bytesEach: 192 * 2 ** 20 };

async function runEndToEnd(context: BenchContext): Promise<BenchOutcome> {
  const { options, workspace } = context;
  const named = options.quick ? quick : full;
  const isLargeWanted = (kind: PlaceKind): boolean =>
    kind !== 'disk' && ['drain', 'read', 'verify', 'repair'].some((word) => options.cases?.test(`${word}/${kind}/${named.name}`) ?? true);
  const wanted = placeKinds.map((kind) => ({ kind, isLarge: isLargeWanted(kind), sizes: wantedSizes(options, kind) }));
  if (wanted.every(({ isLarge, sizes }) => !isLarge && sizes.length === 0)) return { rows: [], facts: [] };
  // Sizes bring their own content.
  const workload = wanted.some(({ isLarge }) => isLarge) ? named : quick;
  const rclone = await rcloneClient();
  const stage = { storage: 'memory', transport: 'http', workload, operations: ['up'], runs: 1, judgedWithStart: true } as const;
  const prepared = await prepareStage(workspace, stage, rclone);
  const [gateway] = prepared.gateways;
  if (!gateway) throw new Error('no gateway was started');
  try {
    const rows: Row[] = [];
    const leftOut: string[] = [];
    const task = await prepared.task('up');
    if (task.source.kind !== 'directory') throw new Error('the source is no directory');
    const file = join(task.source.path, 'd000', 'file-000000.bin');
    for (const { kind, isLarge, sizes } of wanted) {
      if (!isLarge && sizes.length === 0) continue;
      const place = await openPlace(kind, gateway, workspace);
      if (isLarge) rows.push(...(await largeObjectRows(context, { place, gateway, prepared, rclone, workload, file })));
      await place.clear();
      const measured = await sizeRows(context, place, sizes);
      rows.push(...measured.rows);
      leftOut.push(...measured.leftOut);
      await place.clear();
    }
    return {
      rows,
      facts: [
        ['end to end', `18 racks; s3: buckets of versitygw ${describeFlags()}; posix: directories in memory; disk: directories below .penstock`],
        ['rclone', rclone.flags('up', workload).join(' ')],
        ...(leftOut.length > 0
          ? [['left out', `${leftOut.join(', ')}: no room for them; --case '^sizes/disk/16GiB$' writes 16 GiB to the disk`] as const]
          : []),
      ],
    };
  } finally {
    await prepared.end();
  }
}
