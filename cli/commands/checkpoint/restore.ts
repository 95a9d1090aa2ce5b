import { basename, dirname, resolve } from 'node:path';
import type { Command } from 'commander';
import { createPosixFileStore } from '../../../drivers/file-store/posix.ts';
import { IdentifierSchema } from '../../../model/identifiers.ts';
import { formatBytes, formatCount } from '../../../model/quantity.ts';
import { addCommand, type Run } from '../../command.ts';
import { acceptInput } from '../../input/accept.ts';
import { ALLOCATION_EXPECTED, resolveAllocation } from '../../input/allocation-name.ts';
import { renderFacts } from '../../output/table.ts';
import { checkpointOperation, NODE_ABOUT, NODE_OPTION } from './options.ts';

export function addRestoreCommand(parent: Command, run: Run): void {
  addCommand(parent, 'restore', {
    summary: 'Bring a checkpoint into a directory of this node, from the nearest whole copy',
    details:
      'Asks the ring, the rack, the global tier and the erasure set in this order, without Temporal. A file has its name only once its CRC32C is that of the commit; what one copy cannot give is taken from the next, and said. One that was never committed is not offered',
    examples: ['penstock checkpoint restore acme/vision/train-001 step-1000 --node n001 --to /scratch/local/restart'],
  })
    .argument('<allocation>', ALLOCATION_EXPECTED)
    .argument('<checkpoint>', 'its id')
    .requiredOption(NODE_OPTION, NODE_ABOUT)
    .requiredOption('--to <directory>', 'where its files go; files of the same names are replaced')
    .action((name: string, checkpoint: string, options: { node: string; to: string }, command: Command) =>
      run(command, async (session) => {
        const key = { ...(await resolveAllocation(name)), checkpointId: acceptInput(IdentifierSchema, checkpoint, 'checkpoint') };
        const root = resolve(session.io.cwd, options.to);
        const { restoreCheckpoint } = await import('../../../client/checkpoint/index.ts');
        const target = createPosixFileStore({ name: options.to, root: dirname(root) });
        const signal = new AbortController().signal;
        const stores = await session.stores();
        const { recorded } = await import('../../../activities/audit-log.ts');
        const restored = await recorded(stores, session.io.env['USER'], checkpointOperation('checkpoint-restore', key, options.node), () =>
          restoreCheckpoint(stores, { key, nodeId: options.node, target, directory: basename(root), signal }),
        );
        for (const { copy, path, reason } of restored.faults) session.note(`passed over ${copy}${path === undefined ? '' : `, ${path}`}: ${reason}`);
        return {
          data: { ...restored, path: root },
          text: renderFacts([
            ['restored to', root],
            ['committed', restored.committedAt],
            ['content', `${formatCount(restored.files, 'file')}, ${formatBytes(restored.bytes)}`],
            [
              'from',
              Object.entries(restored.from)
                .map(([copy, files]) => `${copy} (${formatCount(files, 'file')})`)
                .join(', '),
            ],
          ]),
        };
      }),
    );
}
