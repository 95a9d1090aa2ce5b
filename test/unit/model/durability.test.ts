/** Durability: the formula, the chain solved exactly and the simulation agree with each other and with what is published. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { approximateYearsToLoss, lossWithin, nines, type ShardModel, windowLossWithin } from '../../../model/durability.ts';
import { buildChain, type Chain, lossFromStart, yearsToLoss } from '../../../model/durability-chain.ts';
import { type Simulated, simulateBiased, simulatePlain, simulateWindows } from '../../../model/durability-simulation.ts';

const model = (failuresPerYear: number, repairHours: number, more: Partial<ShardModel> = {}): ShardModel => ({
  shardsPerRoom: [5, 5, 4, 4],
  parityShards: 4,
  failuresPerYear,
  repairHours,
  repair: 'serial',
  ...more,
});
function chainOf(of: ShardModel): Chain {
  const chain = buildChain(of);
  assert.ok(chain);
  return chain;
}
const perYear = (of: ShardModel): number => lossWithin(1, yearsToLoss(chainOf(of)));

/** The truth lies in the interval, and the interval says something. Seeds are fixed: a seed in twenty would miss. */
function assertAgrees({ probability, low, high }: Simulated, truth: number, width: number): void {
  assert.ok(low <= truth && truth <= high, `${truth} is not in ${low} to ${high}`);
  assert.ok((high - low) / probability < width, `${low} to ${high} is too wide`);
}

/** 14+4 with serial repair, as published in the field notes: AFR, MTTR in hours, loss a year, nines. */
const published = [
  [0.02, 24, '1.8e-13', '12.7'],
  [0.02, 72, '1.5e-11', '10.8'],
  [0.02, 168, '4.4e-10', '9.4'],
  [0.05, 24, '1.8e-11', '10.7'],
  [0.05, 168, '4.2e-8', '7.4'],
] as const;

describe('durability of 14+4', () => {
  for (const [afr, hours, loss, digits] of published) {
    it(`with an AFR of ${afr * 100} % and ${hours} hours to repair is ${loss} a year`, () => {
      const exact = perYear(model(afr, hours));
      assert.deepEqual([exact.toExponential(1), nines(exact).toFixed(1)], [loss, digits]);
      // The formula leaves out that further failures come while one is repaired: more, the slower repair is.
      const formula = 1 / approximateYearsToLoss(model(afr, hours));
      assert.ok(formula > exact && formula < exact * 1.04, `${formula}`);
    });

    it(`is met by the simulation with biased failures: AFR ${afr * 100} %, ${hours} hours`, () => {
      const chain = chainOf(model(afr, hours));
      assertAgrees(simulateBiased(chain, { years: 1, runs: 100_000, seed: 2 }), perYear(model(afr, hours)), 0.06);
    });
  }

  it('with parallel repair is m! times better, in the formula and nearly so in the chain', () => {
    const parallel = model(0.02, 24, { repair: 'parallel' });
    assert.ok(Math.abs(approximateYearsToLoss(parallel) / approximateYearsToLoss(model(0.02, 24)) - 24) < 1e-9);
    assertAgrees(simulateBiased(chainOf(parallel), { years: 1, runs: 100_000, seed: 1 }), perYear(parallel), 0.12);
    assert.ok(Math.abs(perYear(model(0.02, 24)) / perYear(parallel) - 24) < 0.2);
  });
});

describe("Backblaze's 17+3", () => {
  const backblaze = model(0.00405, 156, { shardsPerRoom: [20], parityShards: 3, repair: 'window' });

  it('of 0.405 % AFR and 6.5 days is 7.35e-12 a year, by its binomial formula and by simulation', () => {
    const exact = windowLossWithin(1, backblaze);
    assert.equal(exact.toPrecision(3), '7.35e-12');
    assertAgrees(simulateWindows(backblaze, { years: 1, runs: 200_000, seed: 1 }), exact, 0.03);
  });

  it('is four times as much where windows may overlap, as repairs do, and 24 times where one rack is repaired at a time', () => {
    const exact = windowLossWithin(1, backblaze);
    assert.ok(Math.abs(perYear({ ...backblaze, repair: 'parallel' }) / exact - 4) < 0.05);
    assert.ok(Math.abs(perYear({ ...backblaze, repair: 'serial' }) / exact - 24) < 0.3);
  });
});

describe('the chain', () => {
  it('gives the mean time of a birth and death process, which has a closed form', () => {
    const [failure, repair] = [0.02, 8766 / 72];
    let [stay, total] = [0, 0];
    for (let lost = 0; lost <= 4; lost++) {
      stay = 1 / ((18 - lost) * failure) + ((lost > 0 ? repair : 0) / ((18 - lost) * failure)) * stay;
      total += stay;
    }
    assert.ok(Math.abs(yearsToLoss(chainOf(model(0.02, 72))) / total - 1) < 1e-12);
  });

  it('does not depend on the rooms while nothing happens to rooms', () => {
    const apart = chainOf(model(0.02, 72, { roomEvents: { perYear: 0, share: 1 } }));
    assert.equal(apart.length, 70);
    assert.ok(Math.abs(yearsToLoss(apart) / yearsToLoss(chainOf(model(0.02, 72))) - 1) < 1e-9);
  });

  it('knows that an object just written is safer than one on the way: less is lost in the first year than in the second', () => {
    const chain = chainOf(model(0.05, 168));
    const [first, second] = [lossFromStart(chain, 1), lossFromStart(chain, 2) - lossFromStart(chain, 1)];
    assert.ok(first < second && first > 0.9 * second);
    assert.ok(Math.abs(second / perYear(model(0.05, 168)) - 1) < 0.001);
  });

  it('is not solved where rooms make too many states', () => {
    assert.equal(buildChain(model(0.02, 72, { shardsPerRoom: Array(18).fill(1), roomEvents: { perYear: 0.01, share: 1 } })), undefined);
  });
});

describe('the simulation', () => {
  it('without bias meets the chain where losses are common', () => {
    const often = chainOf(model(1, 720));
    const truth = lossFromStart(often, 1);
    assert.ok(truth > 0.5);
    assertAgrees(simulatePlain(often, { years: 1, runs: 20_000, seed: 3 }), truth, 0.05);
    const rarer = chainOf(model(0.6, 336));
    assertAgrees(simulatePlain(rarer, { years: 1, runs: 60_000, seed: 3 }), lossFromStart(rarer, 1), 0.2);
  });

  it('without bias never sees what is rare, and says no more than that', () => {
    const { probability, low, high, losses } = simulatePlain(chainOf(model(0.02, 72)), { years: 1, runs: 10_000, seed: 1 });
    assert.deepEqual([probability, low, losses], [0, 0, 0]);
    assert.ok(high > 1e-4 && high < 1e-3);
  });

  it('with events that take a part of a room meets the chain', () => {
    for (const roomEvents of [
      { perYear: 0.01, share: 0.5 },
      { perYear: 0.0001, share: 0.3 },
    ]) {
      const correlated = model(0.02, 72, { roomEvents });
      assertAgrees(simulateBiased(chainOf(correlated), { years: 1, runs: 100_000, seed: 4 }), perYear(correlated), 0.25);
      assert.ok(perYear(correlated) > 1e4 * perYear(model(0.02, 72)), 'independence was the assumption that mattered');
    }
  });

  it('has an interval that holds the truth about nineteen times in twenty, as 95 % says', () => {
    const correlated = model(0.02, 72, { roomEvents: { perYear: 0.0001, share: 0.3 } });
    for (const each of [correlated, model(0.05, 168)]) {
      const [chain, truth] = [chainOf(each), perYear(each)];
      const results = Array.from({ length: 200 }, (_, seed) => simulateBiased(chain, { years: 1, runs: 2000, seed }));
      const held = results.filter(({ low, high }) => low <= truth && truth <= high).length;
      assert.ok(held >= 180, `${held} of 200`);
      const mean = results.reduce((sum, { probability }) => sum + probability, 0) / results.length;
      assert.ok(Math.abs(mean / truth - 1) < 0.02, `${mean} instead of ${truth}`);
    }
  });

  it('of a room lost whole: four rooms of 14+4 do not stand it, five do', () => {
    const roomEvents = { perYear: 0.01, share: 1 };
    const [four, five] = [
      [5, 5, 4, 4],
      [4, 4, 4, 3, 3],
    ].map((shardsPerRoom) => perYear(model(0.02, 72, { shardsPerRoom, roomEvents })));
    assert.ok(four && five && Math.abs(four - 0.02) < 0.001, 'two of the four rooms hold five shards');
    assert.ok(five < four / 20);
  });

  it('is the same for a seed, and another for another', () => {
    const chain = chainOf(model(0.02, 72));
    const run = (seed: number) => simulateBiased(chain, { years: 1, runs: 1000, seed });
    assert.deepEqual(run(7), run(7));
    assert.notDeepEqual(run(7), run(8));
  });
});
