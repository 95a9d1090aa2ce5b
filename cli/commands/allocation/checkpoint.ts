import type { Command } from 'commander';
import { CommitCheckpointSchema, ReserveCheckpointSchema } from '../../../model/allocation.ts';
import { IdentifierSchema } from '../../../model/identifiers.ts';
import { formatBytes, formatCount } from '../../../model/quantity.ts';
import { addCommand, addGroup, type Run } from '../../command.ts';
import { acceptInput } from '../../input/accept.ts';
import { ALLOCATION_EXPECTED, resolveAllocation } from '../../input/allocation-name.ts';
import { renderFacts } from '../../output/table.ts';
import { checkpointsText } from '../../views/status.ts';

export function addCheckpointCommands(parent: Command, run: Run): void {
  const group = addGroup(parent, 'checkpoint', "Reserve, commit, restore and list an allocation's checkpoints");

  addCommand(group, 'reserve', {
    summary: 'Make room for a checkpoint on the node and in its rack',
    details: 'Answers the two directories to write it to, each file the same in both',
    examples: ['penstock allocation checkpoint reserve acme/vision/train-001 step-1000 --bytes 2GB'],
  })
    .argument('<allocation>', ALLOCATION_EXPECTED)
    .argument('<checkpoint>', 'its id, new for each checkpoint')
    .requiredOption('--bytes <size>', 'upper bound of what will be written, such as 2GB')
    .option('--node <id>', 'the node that writes it; the first assigned one where absent')
    .option('--keep', 'it stays when others go after the end of the allocation, and no newer one supersedes it')
    .action((name: string, checkpointId: string, options: { bytes: string; node?: string; keep?: true }, command: Command) =>
      run(command, async (session) => {
        const key = await resolveAllocation(name);
        const request = acceptInput(ReserveCheckpointSchema, {
          checkpointId,
          bytes: options.bytes,
          ...(options.node === undefined ? {} : { nodeId: options.node }),
          ...(options.keep ? { keep: true } : {}),
        });
        const reservation = await (await session.penstock()).reserveCheckpoint(key, request);
        return {
          data: reservation,
          text: renderFacts([
            ['checkpoint', reservation.checkpointId],
            ['first copy', reservation.localPath],
            ['second copy', reservation.rackPath],
            ['node, rack', `${reservation.nodeId}, ${reservation.rackId}`],
            ['will be', reservation.uri],
            ['expires', reservation.expiresAt],
          ]),
        };
      }),
    );

  addCommand(group, 'commit', {
    summary: 'Acknowledge a checkpoint: answers when both copies are proven equal and durable',
    details: 'From then on it cannot be lost; it is drained to the erasure set even if the job ends',
    examples: ['penstock allocation checkpoint commit acme/vision/train-001 step-1000'],
  })
    .argument('<allocation>', ALLOCATION_EXPECTED)
    .argument('<checkpoint>', 'the id it was reserved under')
    .action((name: string, checkpointId: string, _options: unknown, command: Command) =>
      run(command, async (session) => {
        const key = await resolveAllocation(name);
        const committed = await (await session.penstock()).commitCheckpoint(key, acceptInput(CommitCheckpointSchema, { checkpointId }));
        return {
          data: committed,
          text: renderFacts([
            ['committed', committed.checkpointId],
            ['content', `${formatCount(committed.files, 'file')}, ${formatBytes(committed.bytes)}`],
            ['digest', committed.digest],
            ['at', committed.committedAt],
          ]),
        };
      }),
    );

  addCommand(group, 'restore', {
    summary: 'Bring a drained checkpoint back from the erasure set to the hot tier',
    details: 'Works with up to four racks gone, and after the allocation has ended',
    examples: [
      'penstock allocation checkpoint restore acme/vision/train-001 step-1000',
      'penstock allocation checkpoint restore acme/vision/train-001 step-1000 --file rank-0007/model.bin',
    ],
  })
    .argument('<allocation>', ALLOCATION_EXPECTED)
    .argument('<checkpoint>', 'its id')
    .option('--file <path>', 'only this file, by its path within the checkpoint; of a small one little more than itself is read')
    .action((name: string, checkpoint: string, { file }: { file?: string }, command: Command) =>
      run(command, async (session) => {
        const key = await resolveAllocation(name);
        const checkpointId = acceptInput(IdentifierSchema, checkpoint, 'checkpoint');
        const restored = await (await session.penstock()).restoreCheckpoint({ ...key, checkpointId, ...(file === undefined ? {} : { file }) });
        return {
          data: restored,
          text: renderFacts([
            ['restored to', `hot: /${restored.path}`],
            ['content', `${formatCount(restored.files, 'file')}, ${formatBytes(restored.bytes)}`],
            ['degraded racks', restored.degradedRacks.join(', ') || 'none'],
            ['slow racks', restored.lateRacks?.length ? `${restored.lateRacks.join(', ')}; others were faster` : undefined],
          ]),
        };
      }),
    );

  addCommand(group, 'list', {
    summary: 'List the latest checkpoints of an allocation, newest first',
    examples: ['penstock allocation checkpoint list acme/vision/train-001'],
  })
    .argument('<allocation>', ALLOCATION_EXPECTED)
    .action((name: string, _options: unknown, command: Command) =>
      run(command, async (session) => {
        const { checkpoints } = await (await session.penstock()).status(await resolveAllocation(name));
        return { data: checkpoints, text: checkpointsText(checkpoints) };
      }),
    );
}
