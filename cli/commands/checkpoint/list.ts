import type { Command } from 'commander';
import { formatBytes } from '../../../model/quantity.ts';
import { addCommand, type Run } from '../../command.ts';
import { ALLOCATION_EXPECTED, resolveAllocation } from '../../input/allocation-name.ts';
import { renderTable } from '../../output/table.ts';
import { NODE_ABOUT, NODE_OPTION } from './options.ts';

export function addListCommand(parent: Command, run: Run): void {
  addCommand(parent, 'list', {
    summary: 'List the checkpoints that a node may restart from, newest first, and where each lies',
    details:
      'Reads the commit records of ring, rack, global tier and erasure set, without Temporal. One that was being written when its job was killed has none, and is not listed. Which of those in the erasure set stay, `penstock checkpoint plan` says',
    examples: ['penstock checkpoint list acme/vision/train-001 --node n001'],
  })
    .argument('<allocation>', ALLOCATION_EXPECTED)
    .requiredOption(NODE_OPTION, NODE_ABOUT)
    .action((name: string, { node }: { node: string }, command: Command) =>
      run(command, async (session) => {
        const { listCheckpoints } = await import('../../../client/checkpoint/index.ts');
        const allocation = await resolveAllocation(name);
        const { checkpoints, faults } = await listCheckpoints(await session.stores(), { allocation, nodeId: node, signal: new AbortController().signal });
        for (const { copy, reason } of faults) session.note(`could not ask ${copy}: ${reason}`);
        if (checkpoints.some(({ copies }) => copies.includes('erasure set')))
          session.note(`which of those in the erasure set stay, and when the others go: penstock checkpoint plan ${name}`);
        const rows = checkpoints.map(({ checkpointId, committedAt, files, bytes, copies }) => [
          checkpointId,
          committedAt,
          String(files),
          formatBytes(bytes),
          copies.join(', '),
        ]);
        return {
          data: checkpoints,
          text: rows.length === 0 ? 'no checkpoint is committed' : renderTable(['checkpoint', 'committed', 'files', 'bytes', 'copies'], rows),
        };
      }),
    );
}
