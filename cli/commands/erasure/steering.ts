/** What scrub and repair have in common: looked at, slowed, paused and stopped in the same way. */
import type { Command } from 'commander';
import type { ErasureCalls } from '../../../client/erasure.ts';
import type { Penstock } from '../../../client/penstock.ts';
import { addCommand, type Run } from '../../command.ts';
import { parseRate, RATE_ABOUT } from '../../input/location.ts';
import { renderFacts } from '../../output/table.ts';
import type { Session } from '../../session.ts';
import { rateText } from '../../views/transfer.ts';

type Calls<Status> = Pick<ErasureCalls['scrub'], 'setRate'> & {
  status(): Promise<Status>;
  pause(): Promise<Status>;
  resume(): Promise<Status>;
  stop(): Promise<Status>;
};

export interface Steering<Status> {
  readonly name: 'scrub' | 'repair';
  calls(penstock: Penstock): Calls<Status>;
  text(status: Status): string;
  /** What the site's records know better than Temporal. */
  told?(status: Status, session: Session): Promise<Status>;
}

export function addSteering<Status>(parent: Command, run: Run, { name, calls, text, told = (status) => Promise.resolve(status) }: Steering<Status>): void {
  const answering = (command: string, summary: string, details: string, ask: (of: Calls<Status>) => Promise<Status>): void => {
    addCommand(parent, command, { summary, details, examples: [`penstock erasure ${name} ${command}`] }).action((_options: unknown, own: Command) =>
      run(own, async (session) => {
        const status = await told(await ask(calls(await session.penstock())), session);
        return { data: status, text: text(status) };
      }),
    );
  };
  answering('status', `Show how far the ${name} is, and what it found`, 'Also of one that is over, while Temporal remembers it', (of) => of.status());
  answering('stop', `End the ${name} early; answers when it reads and writes nothing any more`, 'Started again, it goes on from there', (of) => of.stop());
  answering('pause', `Hold the ${name} up until it is resumed`, 'What it does at the moment waits too', (of) => of.pause());
  answering('resume', `Let a paused ${name} go on`, 'At the rate that it had', (of) => of.resume());
  addCommand(parent, 'rate', {
    summary: `Limit the ${name} while it runs, in bytes read from racks`,
    details: 'Followed within seconds. Of a repair the limit is for all its lanes together',
    examples: [`penstock erasure ${name} rate 200MB/s`, `penstock erasure ${name} rate none`],
  })
    .argument('<rate>', RATE_ABOUT, parseRate)
    .action((bytesPerSecond: number | null, _options: unknown, command: Command) =>
      run(command, async (session) => {
        const answer = await calls(await session.penstock()).setRate({ bytesPerSecond });
        return { data: answer, text: renderFacts([['limit', rateText(answer.bytesPerSecond)]]) };
      }),
    );
}
