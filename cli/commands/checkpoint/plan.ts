import type { Command } from 'commander';
import { planCheckpoints } from '../../../activities/checkpoint-retention.ts';
import type { PlannedCheckpoint } from '../../../model/checkpoint-retention.ts';
import type { AllocationKey } from '../../../model/identifiers.ts';
import { isEnd } from '../../../model/phase.ts';
import { formatBytes } from '../../../model/quantity.ts';
import { addCommand, type Run } from '../../command.ts';
import { ALLOCATION_EXPECTED, resolveAllocation } from '../../input/allocation-name.ts';
import { renderTable } from '../../output/table.ts';
import type { Session } from '../../session.ts';

export function addPlanCommand(parent: Command, run: Run): void {
  addCommand(parent, 'plan', {
    summary: 'Which drained checkpoints of an allocation stay and which go, when and why; changes nothing',
    details:
      'By checkpoints.keepLast, keepEvery and keepDays of the site file, or those that the allocation asked for, with the rule that removes them. A store that holds one, by a retention or a legal hold, is asked',
    examples: ['penstock checkpoint plan acme/vision/train-001', 'penstock checkpoint plan acme/vision/train-001 -o json'],
  })
    .argument('<allocation>', ALLOCATION_EXPECTED)
    .action((name: string, _options: unknown, command: Command) =>
      run(command, async (session) => {
        const allocation = await resolveAllocation(name);
        const endedAt = await endOf(session, allocation);
        const planned = await planCheckpoints(await session.stores(), allocation, { endedAt, signal: new AbortController().signal });
        return { data: planned, text: planText(planned) };
      }),
    );
}

/** Undefined while it runs. */
async function endOf(session: Session, allocation: AllocationKey): Promise<string | undefined> {
  const { phase, since } = await (await session.penstock()).status(allocation);
  return isEnd(phase) ? since : undefined;
}

function planText(planned: readonly PlannedCheckpoint[]): string {
  if (planned.length === 0) return 'no checkpoint is drained';
  const rows = planned.map(({ checkpointId, committedAt, bytes, disposition }) => [
    checkpointId,
    committedAt,
    formatBytes(bytes),
    whatBecomes(disposition),
    disposition.why,
  ]);
  return renderTable(['checkpoint', 'committed', 'size', 'what', 'why'], rows);
}

function whatBecomes(disposition: PlannedCheckpoint['disposition']): string {
  switch (disposition.kind) {
    case 'stays':
      return 'stays';
    case 'held':
      return disposition.until === undefined ? 'held' : `held until ${disposition.until}`;
    case 'goes':
      return disposition.at === undefined ? 'goes' : `goes at ${disposition.at}`;
    default:
      return disposition satisfies never;
  }
}
