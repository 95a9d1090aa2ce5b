import type { Command } from 'commander';
import { readScrubProgress } from '../../../activities/scrub-progress.ts';
import { ScrubRequestSchema, type ScrubStatus } from '../../../model/scrub.ts';
import { addCommand, addGroup, type Run } from '../../command.ts';
import { acceptInput } from '../../input/accept.ts';
import { parseRate, RATE_ABOUT } from '../../input/location.ts';
import { renderFacts } from '../../output/table.ts';
import type { Session } from '../../session.ts';
import { scrubText } from '../../views/erasure.ts';
import { addSteering } from './steering.ts';

interface StartOptions {
  anew?: true;
  rate?: number | 'none';
}

export function addScrubCommands(parent: Command, run: Run): void {
  const scrub = addGroup(parent, 'scrub', 'Read every cell of the erasure set, and find what is lost, rotten or left over');
  addCommand(scrub, 'start', {
    summary: 'Start the scrub, or go on where it was stopped',
    details:
      'There is one at a time: where one is under way it attaches, and sets its rate where --rate is given. What it finds is queued for repair, and the repair started. A schedule starts it once a week. Outside the hours of the policy scrubHours it waits for them',
    examples: ['penstock erasure scrub start', 'penstock erasure scrub start --anew --rate 500MB/s', 'penstock erasure scrub start --rate none'],
  })
    .option('--anew', 'begin at the first object, also where an earlier scrub was stopped on its way')
    .option('--rate <rate>', `limit of what is read from the racks: ${RATE_ABOUT}; the policy scrubRate where absent`, (text) => parseRate(text) ?? 'none')
    .action(({ anew, rate }: StartOptions, command: Command) =>
      run(command, async (session) => {
        const request = acceptInput(ScrubRequestSchema, {
          anew: anew ?? false,
          ...(rate === undefined ? {} : { bytesPerSecond: rate === 'none' ? null : rate }),
        });
        const started = await (await session.penstock()).erasure.scrub.start(request);
        const facts = [[started.attached ? 'attached to' : 'started', started.workflowId] as const, ['follow it', 'penstock erasure scrub status'] as const];
        return { data: started, text: renderFacts(facts) };
      }),
    );
  addSteering(scrub, run, { name: 'scrub', calls: (penstock) => penstock.erasure.scrub, text: scrubText, told: asRecorded });
}

/** Stopped between two attempts of its activity, the workflow was not told what these had read. */
async function asRecorded(status: ScrubStatus, session: Session): Promise<ScrubStatus> {
  if (status.running) return status;
  const recorded = await session
    .stores()
    .then(readScrubProgress)
    .catch(() => undefined);
  const isNews = recorded !== undefined && recorded.scrubId === status.progress?.scrubId && recorded.updatedAt > status.progress.updatedAt;
  return isNews ? { ...status, progress: recorded } : status;
}
