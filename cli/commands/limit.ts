import type { Command } from 'commander';
import type { StoreLimits } from '../../model/limits.ts';
import { formatBandwidth } from '../../model/quantity.ts';
import { CliError } from '../cli-error.ts';
import { addCommand, addGroup, type Run } from '../command.ts';
import { parseRate, RATE_ABOUT, requireStore } from '../input/location.ts';
import { renderTable } from '../output/table.ts';

const SCOPE =
  'The limit holds in each mover process: all that one process moves to and from the store together, shared fairly among its transfers. With n processes the store may see n times as much';

export function addLimitCommands(program: Command, run: Run): void {
  const limit = addGroup(program, 'limit', 'Limit what all transfers together take from a store');

  addCommand(limit, 'set', {
    summary: "Limit a store's transfers in bytes per second, while they run",
    details: `${SCOPE}. Movers follow within seconds`,
    examples: ['penstock limit set warm 200MB/s', 'penstock limit set cold 0'],
  })
    .argument('<store>', 'hot, warm, cold or an external store of the site file')
    .argument('<rate>', RATE_ABOUT, parseRate)
    .action((store: string, bytesPerSecond: number | null, _options: unknown, command: Command) =>
      run(command, async (session) => {
        requireStore(store, await session.site());
        return answer(await (await session.penstock()).limits.set({ store, bytesPerSecond }));
      }),
    );

  addCommand(limit, 'show', {
    summary: 'Show the limits of the stores',
    details: SCOPE,
    examples: ['penstock limit show', 'penstock limit show -o json'],
  }).action((_options: unknown, command: Command) => run(command, async (session) => answer(await (await session.penstock()).limits.show())));

  addCommand(limit, 'clear', { summary: "Take a store's limit away", examples: ['penstock limit clear warm'] })
    .argument('<store>', 'hot, warm, cold or an external store of the site file')
    .action((store: string, _options: unknown, command: Command) =>
      run(command, async (session) => {
        const { limits } = await session.penstock();
        // A store that the site file no longer names may still have a limit on record.
        if (!(store in (await limits.show()))) throw new CliError('notFound', `store ${JSON.stringify(store)} has no limit`, { type: 'NotFound' });
        return answer(await limits.set({ store, bytesPerSecond: null }));
      }),
    );
}

function answer(limits: StoreLimits): { data: StoreLimits; text: string } {
  const rows = Object.entries(limits).map(([store, rate]) => [store, rate === 0 ? '0: stopped' : formatBandwidth(rate), 'each mover process']);
  return { data: limits, text: rows.length === 0 ? 'no store is limited' : renderTable(['store', 'limit', 'of'], rows) };
}
