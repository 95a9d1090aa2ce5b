import type { Command } from 'commander';
import type { BrokerOverview } from '../../model/broker-overview.ts';
import type { Site } from '../../model/site.ts';
import { CliError } from '../cli-error.ts';
import { addCommand, addGroup, type CommandAnswer, type Run } from '../command.ts';
import { brokerText } from '../views/broker.ts';

export function addBrokerCommands(program: Command, run: Run): void {
  const broker = addGroup(program, 'broker', 'Windows of bandwidth: who may send how much over a fabric');
  const add = (name: 'show' | 'pause' | 'resume', about: { summary: string; details?: string; examples: readonly string[] }): void => {
    addCommand(broker, name, about)
      .argument('<fabric>', 'a fabric of the site file')
      .action((fabric: string, _options: unknown, command: Command) =>
        run(command, async (session) => {
          const known = requireFabric(fabric, await session.site());
          return answer(await (await session.penstock()).brokers[name](known));
        }),
      );
  };

  add('show', {
    summary: 'Show what a fabric carries, who holds windows and who waits',
    details:
      'Stores that do not answer; per class and tenant what is reserved, given and used, how many wait and since when; then up to twenty holders with the highest rates and the twenty that have waited longest. Starts the broker where it does not run',
    examples: ['penstock broker show storage', 'penstock broker show storage -o json'],
  });
  add('pause', {
    summary: 'Stop all windows of a fabric',
    details:
      'Holders stop at their next renewal, a third of the lease at the latest. Nobody loses a place: requests wait, and new ones are taken. A store that does not answer needs none: the broker stops the windows of its users by itself',
    examples: ['penstock broker pause storage'],
  });
  add('resume', {
    summary: 'Grant windows of a fabric again, those with most work at risk first',
    examples: ['penstock broker resume storage'],
  });
}

const answer = (overview: BrokerOverview): CommandAnswer => ({ data: overview, text: brokerText(overview) });

/** @throws CliError usage, naming what would be accepted */
function requireFabric(name: string, { fabrics }: Site): string {
  if (Object.hasOwn(fabrics, name)) return name;
  const accepted = Object.keys(fabrics).join(', ') || 'none, for the site file has no fabrics';
  throw new CliError('usage', `fabric: found ${JSON.stringify(name)}; accepted: ${accepted}`, { type: 'InvalidInput' });
}
