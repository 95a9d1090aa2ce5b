/** All that is said of a fleet's durability at once: formula, exact solution and simulation of one object, and a bound for all of them. Pure. */
import { approximateYearsToLoss, lossWithin, nines, type ShardModel, windowLossWithin } from './durability.ts';
import { buildChain, lossFromStart, yearsToLoss } from './durability-chain.ts';
import { type Simulated, simulateBiased, simulatePlain, simulateWindows } from './durability-simulation.ts';
import { PenstockError } from './errors.ts';

export interface DurabilityRequest {
  readonly model: ShardModel;
  readonly racksPerRoom: readonly number[];
  readonly objects: number;
  readonly years: number;
  readonly runs: number;
  /** plain: no bias, for what is not rare. */
  readonly method: 'biased' | 'plain';
  readonly seed: number;
}

export interface Durability {
  readonly model: ShardModel;
  readonly years: number;
  /** Of losing one object within the years, by the closed formula; absent with room events, which it does not know. */
  readonly formula?: number;
  /** By the chain; with plain simulation from a beginning with nothing lost, as the simulation, else in the long run. */
  readonly exact: number;
  /** Of the exact one. */
  readonly nines: number;
  /** On average; absent with windows. */
  readonly yearsToLoss?: number;
  readonly simulated: Simulated & { readonly method: 'biased' | 'plain' | 'window'; readonly seed: number };
  /** Of losing any of the objects: at most so much, whichever racks they share. */
  readonly anyObject: number;
}

/** @throws PenstockError InvalidInput where room events in so many rooms make too many states */
export function assessDurability(request: DurabilityRequest): Durability {
  const { model, years, seed, method } = request;
  if (model.repair === 'window') {
    const exact = windowLossWithin(years, model);
    const simulated = { ...simulateWindows(model, request), method: model.repair, seed };
    return { model, years, exact, nines: nines(exact), simulated, anyObject: ofAny(request, exact) };
  }
  const chain = buildChain(model);
  if (!chain)
    throw new PenstockError(
      'InvalidInput',
      `room events in ${model.shardsPerRoom.length} rooms make too many states; accepted: at most eight rooms with four parity shards.`,
    );
  const mean = yearsToLoss(chain);
  const exact = method === 'plain' ? lossFromStart(chain, years) : lossWithin(years, mean);
  return {
    model,
    years,
    ...(model.roomEvents ? {} : { formula: lossWithin(years, approximateYearsToLoss(model)) }),
    exact,
    nines: nines(exact),
    yearsToLoss: mean,
    simulated: { ...(method === 'plain' ? simulatePlain(chain, request) : simulateBiased(chain, request)), method, seed },
    anyObject: ofAny(request, exact),
  };
}

/** Nothing is lost before any m + 1 of all racks are; nor more than each object's chance, added up. */
function ofAny({ model, racksPerRoom, objects, years }: DurabilityRequest, ofOne: number): number {
  const ofAll: ShardModel = { ...model, shardsPerRoom: racksPerRoom };
  const chain = model.repair === 'window' ? undefined : buildChain(ofAll);
  const racks = model.repair === 'window' ? windowLossWithin(years, ofAll) : chain ? lossWithin(years, yearsToLoss(chain)) : 1;
  return Math.min(racks, objects * ofOne);
}
