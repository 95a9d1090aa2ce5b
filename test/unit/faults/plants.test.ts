import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { plants } from '../../faults/planted/plants.ts';
import { planted } from '../../faults/planted/try-plants.ts';
import { suiteNames } from '../../faults/suites.ts';

describe('a planted bug', () => {
  it('has its place in the code as it is, and a suite that is to find it', async () => {
    for (const plant of plants) {
      const sound = await readFile(plant.file, 'utf8');
      assert.notEqual(planted(plant, sound), sound);
      assert.ok(suiteNames.includes(plant.suite), plant.suite);
    }
    assert.equal(new Set(plants.map(({ name }) => name)).size, plants.length);
  });

  it('whose place is no longer there says so', () => {
    const plant = { name: 'a bug', suite: 'broker', file: 'model/broker.ts', from: 'gone', to: '' };
    assert.throws(() => planted(plant, 'other code'), /a bug: its place was found 0 times in model\/broker.ts; once is accepted/);
  });
});
