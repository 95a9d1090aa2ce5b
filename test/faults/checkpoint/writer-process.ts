/** `node writer-process.ts BASE SEED`: writes the plan's checkpoint and says each acknowledgement on standard output, until it is killed. */
import { writeSync } from 'node:fs';
import { checkpointPlaces } from '../../support/checkpoint-places.ts';
import type { Line } from './kill-process.ts';
import { planOf } from './plan.ts';
import { filesOf, writeFiles } from './suite.ts';
import { sha256 } from './verify.ts';

const [base = '', seed = ''] = process.argv.slice(2);
const plan = planOf(Number(seed));
const files = filesOf(plan, 'newer');
// In one call each, so that a line is said whole or not at all.
const say = (line: Line): void => void writeSync(1, `${JSON.stringify(line)}\n`);

const places = await checkpointPlaces({ at: base, ringFile: 'ring' });
const writer = await places.writer({
  checkpointId: 'step-2',
  policy: plan.policy,
  depth: plan.depth,
  onAcknowledged: ({ path, offset, bytes }) =>
    say({ kind: 'chunk', path, offset, bytes, sha256: sha256(files.get(path)?.subarray(offset, offset + bytes) ?? Buffer.alloc(0)) }),
});
await writeFiles(writer, files, () => say({ kind: 'begun' }));
say({ kind: 'committed' });
await writer.close();
