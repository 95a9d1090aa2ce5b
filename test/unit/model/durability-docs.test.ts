/** Every number of docs/durability.md, computed again. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { before, describe, it } from 'node:test';
import { approximateYearsToLoss, lossWithin, nines, type ShardModel, windowLossWithin } from '../../../model/durability.ts';
import { buildChain, yearsToLoss } from '../../../model/durability-chain.ts';

const model: ShardModel = { shardsPerRoom: [18], parityShards: 4, failuresPerYear: 0.02, repairHours: 72, repair: 'serial' };
function lossOf(of: ShardModel): number {
  const chain = buildChain(of);
  assert.ok(chain);
  return lossWithin(1, yearsToLoss(chain));
}
const shown = (loss: number): string => loss.toExponential(1);
const percent = (text: string): number => Number(text.replace(' %', '')) / 100;

let document = '';
before(async () => {
  document = await readFile('docs/durability.md', 'utf8');
});

/** The cells of each row below a table's head. */
function rows(head: string): string[][] {
  const lines = document.slice(document.indexOf(head)).split('\n').slice(2);
  const table = lines.slice(
    0,
    lines.findIndex((line) => !line.startsWith('|')),
  );
  assert.ok(document.includes(head) && table.length > 2, head);
  return table.map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

describe('docs/durability.md', () => {
  it('has the numbers of 14+4', () => {
    for (const [afr = '', mttr = '', ...told] of rows('| AFR | MTTR | formula |')) {
      const each = { ...model, failuresPerYear: percent(afr), repairHours: Number.parseInt(mttr, 10) };
      const exact = lossOf(each);
      assert.deepEqual(
        told,
        [shown(1 / approximateYearsToLoss(each)), shown(exact), nines(exact).toFixed(1), shown(lossOf({ ...each, repair: 'parallel' }))],
        `${afr} ${mttr}`,
      );
    }
  });

  it("has the numbers of Backblaze's 17+3", () => {
    const backblaze: ShardModel = { shardsPerRoom: [20], parityShards: 3, failuresPerYear: 0.00405, repairHours: 156, repair: 'serial' };
    const losses = [windowLossWithin(1, backblaze), lossOf({ ...backblaze, repair: 'parallel' }), lossOf(backblaze)];
    assert.deepEqual(
      rows('| model | loss in a year |').map(([, told]) => told),
      losses.map((loss) => loss.toExponential(2)),
    );
  });

  it('has the numbers of rooms that are lost', () => {
    const table = rows("| an object's shards in each room |");
    for (const [rooms = '', perYear = '', share = '', told] of table) {
      const roomEvents = { perYear: percent(perYear), share: percent(share) };
      assert.equal(shown(lossOf({ ...model, shardsPerRoom: rooms.split(', ').map(Number), roomEvents })), told, `${rooms} ${perYear} ${share}`);
    }
    assert.equal(table.length, 9);
  });

  it('has the numbers of the margins', () => {
    for (const [margin = '', ...told] of rows('| margin | loss in a year |')) {
      const loss = lossOf({ ...model, shardsPerRoom: [14 + Number(margin)], parityShards: Number(margin) });
      assert.deepEqual(told, [shown(loss), nines(loss).toFixed(1)], margin);
    }
  });

  it('says how long the mean time to loss of its first row is', () => {
    const chain = buildChain({ ...model, repairHours: 24 });
    assert.equal(Math.round(yearsToLoss(chain ?? []) / 1e12), 5);
  });
});
