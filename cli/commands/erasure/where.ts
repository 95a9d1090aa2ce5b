import type { Command } from 'commander';
import { whereIs } from '../../../activities/where.ts';
import { addCommand, type Run } from '../../command.ts';
import { locatedText } from '../../views/located.ts';

export function addWhereCommand(parent: Command, run: Run): void {
  addCommand(parent, 'where', {
    summary: 'Where an object lies: rack, room and state of each shard, its manifests, and how many racks may still be lost',
    details:
      'Asks the racks and nothing else, so that it works with any racks gone and without Temporal. Names and lengths are looked at, content is not read. Exit code 1 where the object cannot be read now',
    examples: [
      'penstock erasure where acme/vision/train-001/checkpoints/step-100/weights.bin',
      'penstock erasure where acme/vision/train-001/checkpoints/step-100/penstock-commit.json -o json',
    ],
  })
    .argument('<object>', 'its key; a small file of a checkpoint is where its pack is')
    .option('--in <replica>', "look in this copy's set of the site file instead")
    .action((key: string, options: { in?: string }, command: Command) =>
      run(command, async (session) => {
        const located = await whereIs(await session.stores(), key, options.in);
        return { data: located, text: locatedText(located), exit: located.margin < 0 ? 'refused' : 'ok' };
      }),
    );
}
