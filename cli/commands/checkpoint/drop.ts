import type { Command } from 'commander';
import { IdentifierSchema } from '../../../model/identifiers.ts';
import { addCommand, type Run } from '../../command.ts';
import { acceptInput } from '../../input/accept.ts';
import { ALLOCATION_EXPECTED, resolveAllocation } from '../../input/allocation-name.ts';
import { checkpointOperation, NODE_ABOUT, NODE_OPTION } from './options.ts';

export function addDropCommand(parent: Command, run: Run): void {
  addCommand(parent, 'drop', {
    summary: "Let the node's ring go of a checkpoint that is not drained",
    details: 'Only of the ring: other copies stay. Its room is given back before the next checkpoint is written',
    examples: ['penstock checkpoint drop acme/vision/train-001 step-1000 --node n001'],
  })
    .argument('<allocation>', ALLOCATION_EXPECTED)
    .argument('<checkpoint>', 'its id')
    .requiredOption(NODE_OPTION, NODE_ABOUT)
    .option('--last-copy', 'also where no other place has it: it is lost then')
    .action((name: string, checkpoint: string, options: { node: string; lastCopy?: true }, command: Command) =>
      run(command, async (session) => {
        const key = { ...(await resolveAllocation(name)), checkpointId: acceptInput(IdentifierSchema, checkpoint, 'checkpoint') };
        const { dropFromRing } = await import('../../../client/checkpoint/index.ts');
        const signal = new AbortController().signal;
        const stores = await session.stores();
        const { recorded } = await import('../../../activities/audit-log.ts');
        await recorded(stores, session.io.env['USER'], checkpointOperation('checkpoint-drop', key, options.node), () =>
          dropFromRing(stores, { key, nodeId: options.node, isLastCopy: options.lastCopy ?? false, signal }),
        );
        return { data: { checkpointId: key.checkpointId, node: options.node }, text: `the ring of ${options.node} may let go of ${key.checkpointId}` };
      }),
    );
}
