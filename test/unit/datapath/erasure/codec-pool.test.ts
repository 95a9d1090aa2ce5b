import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { createCodecPool } from '../../../../datapath/erasure/codec-pool.ts';
import { kernelNames } from '../../../../datapath/erasure/kernel/choose.ts';
import { resolveIsal } from '../../../../dev/toolchain/libisal.ts';
import { definedStripe, slowCrc32c } from '../../../support/erasure-definition.ts';
import { noise } from './support.ts';

const CELL = 65_536;
let directory = '';
before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'penstock-codec-'));
});
after(() => rm(directory, { recursive: true }));

function slab(seed: number): ArrayBuffer {
  const memory = new ArrayBuffer(18 * CELL);
  noise(14 * CELL, seed).copy(Buffer.from(memory));
  return memory;
}

describe('the codec pool', () => {
  for (const kernel of kernelNames) {
    it(`gives what the format says with ${kernel}, for many stripes at once`, async () => {
      if (kernel === 'isal') await resolveIsal();
      const pool = createCodecPool({ threads: 2, kernel });
      const results = await Promise.all([1, 2, 3, 4, 5].map((seed) => pool.run({ kind: 'encode', slab: slab(seed), cellBytes: CELL })));
      for (const [index, result] of results.entries()) {
        const expected = definedStripe(noise(14 * CELL, index + 1), CELL);
        assert.ok(Buffer.from(result.slab).equals(expected));
        assert.equal(result.checksums.length, 18);
        for (const [cell, checksum] of result.checksums.entries()) assert.equal(checksum, slowCrc32c(expected.subarray(cell * CELL, (cell + 1) * CELL)));
      }
      await pool.close();
    });
  }

  it('codes a small stripe in place, like a large one', async () => {
    const pool = createCodecPool({ threads: 1, script: new URL('file:///nowhere.mjs') });
    const data = noise(14 * 64, 9);
    const memory = new ArrayBuffer(18 * 64);
    data.copy(Buffer.from(memory));
    const { slab: coded } = await pool.run({ kind: 'encode', slab: memory, cellBytes: 64 });
    assert.ok(Buffer.from(coded).equals(definedStripe(data, 64)));
    await assert.rejects(pool.run({ kind: 'reconstruct', slab: coded, cellBytes: 64, present: [0, 1], wanted: [17] }), /14 different cells/);
  });

  it('leaves the event loop free while it codes', async () => {
    const pool = createCodecPool({ threads: 1 });
    const slabs = [1, 2, 3, 4, 5].map((seed) => slab(seed));
    await pool.run({ kind: 'encode', slab: slab(6), cellBytes: CELL });
    let turns = 0;
    const counting = setInterval(() => turns++, 1);
    for (let round = 0; round < 20; round++) {
      for (const [place, memory] of slabs.entries()) slabs[place] = (await pool.run({ kind: 'encode', slab: memory, cellBytes: CELL })).slab;
    }
    clearInterval(counting);
    assert.ok(turns > 3, `${turns} turns`);
    await pool.close();
  });

  it('reports an impossible job without losing the thread', async () => {
    const pool = createCodecPool({ threads: 1 });
    await assert.rejects(pool.run({ kind: 'reconstruct', slab: slab(1), cellBytes: CELL, present: [0, 1], wanted: [17] }), {
      name: 'IoError',
      message: /14 different cells/,
    });
    await pool.run({ kind: 'encode', slab: slab(2), cellBytes: CELL });
    await pool.close();
  });

  it('fails the jobs of a thread that dies, and replaces it', async () => {
    const marker = join(directory, 'died');
    const script = join(directory, 'mortal.mjs');
    await writeFile(
      script,
      `
      import { existsSync, writeFileSync } from 'node:fs';
      import { parentPort } from 'node:worker_threads';
      parentPort.on('message', ({ id, job }) => {
        if (!existsSync(${JSON.stringify(marker)})) { writeFileSync(${JSON.stringify(marker)}, ''); process.exit(3); }
        parentPort.postMessage({ id, result: { slab: job.slab, checksums: [] } }, [job.slab]);
      });`,
    );
    const pool = createCodecPool({ threads: 1, script: pathToFileURL(script) });
    await assert.rejects(pool.run({ kind: 'encode', slab: slab(1), cellBytes: CELL }), { name: 'IoError' });
    assert.deepEqual((await pool.run({ kind: 'encode', slab: slab(1), cellBytes: CELL })).checksums, []);
    await pool.close();
  });

  it('does not keep a process alive, but does see its jobs through', async () => {
    const script = join(directory, 'short-lived.mjs');
    await writeFile(
      script,
      `
      import { sharedCodecPool } from ${JSON.stringify(new URL('../../../../datapath/erasure/codec-pool.ts', import.meta.url).href)};
      const { checksums } = await sharedCodecPool.run({ kind: 'encode', slab: new ArrayBuffer(18 * ${CELL}), cellBytes: ${CELL} });
      process.stdout.write(String(checksums.length));`,
    );
    const { stdout } = await promisify(execFile)(process.execPath, [script], { timeout: 10_000 });
    assert.equal(stdout, '18');
  });
});
