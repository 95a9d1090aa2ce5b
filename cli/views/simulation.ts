/** A fleet's balance and durability as people read them. */

import { nines } from '../../model/durability.ts';
import type { Durability } from '../../model/durability-assessment.ts';
import type { Balance } from '../../model/fleet.ts';
import { formatSeconds } from '../../model/quantity.ts';
import { renderFacts, renderTable } from '../output/table.ts';

export interface Simulation {
  readonly fleet: { readonly racks: number; readonly rooms: number; readonly closed: number };
  readonly balance: Balance;
  readonly durability: Durability;
}

export function simulationText({ fleet, balance, durability }: Simulation): string {
  return [fleetFacts(fleet, balance, durability), ...roomWarning(balance, durability), modelTable(durability), assumed(durability)].join('\n\n');
}

function fleetFacts(fleet: Simulation['fleet'], balance: Balance, { model }: Durability): string {
  const { roomEvents } = model;
  const shards = model.shardsPerRoom.reduce((sum, each) => sum + each, 0);
  return renderFacts([
    [
      'fleet',
      `${fleet.racks} racks in ${fleet.rooms} ${fleet.rooms === 1 ? 'room' : 'rooms'}${fleet.closed > 0 ? `, ${fleet.closed} of them take no shards` : ''}`,
    ],
    ['objects', `${balance.objects} of ${shards - model.parityShards}+${model.parityShards} shards, ${balance.shardsPerRoom.join(', ')} to a room`],
    [
      'shards a rack',
      `${balance.fewest} to ${balance.most}, ${balance.mean.toFixed(0)} on average (${percent(balance.fewest / balance.mean - 1)} to ${percent(balance.most / balance.mean - 1)})`,
    ],
    ['a rack more', `moves ${percent(balance.movedByNewRack)} of the shards to it, ${percent(balance.movedElsewhere)} elsewhere`],
    [
      'assumed',
      `${percent(model.failuresPerYear)} of the racks lost in a year, ${formatSeconds(model.repairHours * 3600)} until one is rebuilt, ${model.repair} repair`,
    ],
    ['room events', roomEvents && `${percent(roomEvents.perYear)} a year for each room, taking ${percent(roomEvents.share)} of its racks`],
  ]);
}

function modelTable({ model, formula, exact, simulated, anyObject, yearsToLoss, years }: Durability): string {
  const { low, high, runs, losses, method, seed } = simulated;
  const solved =
    yearsToLoss === undefined
      ? `more than ${model.parityShards} lost in one window, binomial`
      : `the Markov chain solved; on average after ${scientific(yearsToLoss)} years`;
  const row = (name: string, loss: number, note: string): string[] => [name, scientific(loss), loss > 0 ? nines(loss).toFixed(1) : '', note];
  return renderTable(
    ['an object', `loss in ${years === 1 ? 'a year' : `${years} years`}`, 'nines', ''],
    [
      ...(formula === undefined ? [] : [row('formula', formula, 'where repair is much faster than failure')]),
      row('exact', exact, solved),
      row('simulated', simulated.probability, `95 %: ${scientific(low)} to ${scientific(high)}; ${method}, ${runs} runs, ${losses} losses seen, seed ${seed}`),
      row('any object', anyObject, 'at most: as many of all racks lost, or the sum over all objects'),
    ],
  );
}

/** One room lost for good is then data lost. */
function roomWarning({ shardsPerRoom }: Balance, { model: { parityShards } }: Durability): string[] {
  const full = shardsPerRoom.filter((shards) => shards > parityShards).length;
  if (full === 0) return [];
  return [
    `warning: ${full} of the ${shardsPerRoom.length} rooms of an object hold more than ${parityShards} of its shards: such a room lost for good is data lost. Accepted: at most ${parityShards} to a room; spread the racks more evenly over more rooms.`,
  ];
}

const assumed = ({ model: { roomEvents } }: Durability): string =>
  `${roomEvents ? 'racks that fail at a constant rate and, besides, only in such room events' : 'independent racks that fail at a constant rate'}: firmware, power, software and people break that; see docs/durability.md`;

const scientific = (value: number): string => (value >= 0.01 && value < 1000 ? value.toPrecision(3) : value.toExponential(2));
const percent = (share: number): string => `${Number((share * 100).toPrecision(3))} %`;
