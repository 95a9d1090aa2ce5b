import type { Command } from 'commander';
import { addCommand, type Run } from '../../command.ts';
import { parseInstant } from '../../input/instant.ts';
import { renderFacts } from '../../output/table.ts';

export function addExportCommand(parent: Command, run: Run): void {
  addCommand(parent, 'export', {
    summary: 'Write a part of the audit log to a file that proves itself, without access to this site',
    details:
      'Whole segments with their hashes, their signed checkpoints and the one before, sealed by the key of the log; so it holds a little more than the time asked for. `penstock audit verify --offline FILE` verifies it anywhere. The file must not exist. Needs the key of the log',
    examples: ['penstock audit export november.audit --since 2026-11-01 --until 2026-12-01', 'penstock audit export all.audit'],
  })
    .argument('<file>', 'where to; it is zstd-compressed JSON lines')
    .option('--since <when>', 'from then on: an instant, a day, or so long ago such as 30d', parseInstant)
    .option('--until <when>', 'before then', parseInstant)
    .action((file: string, options: { since?: string; until?: string }, command: Command) =>
      run(command, async (session) => {
        const { exportAudit } = await import('../../../activities/audit-reading.ts');
        const exported = await exportAudit(await session.stores(), options, file);
        return {
          data: { file, ...exported },
          text: renderFacts([
            ['written', file],
            ['segments', `${exported.segments}, from ${exported.firstSegment} on`],
            ['entries', String(exported.leaves)],
          ]),
        };
      }),
    );
}
