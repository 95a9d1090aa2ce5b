/** `node writer-process.ts BASE SEED`: writes the plan's checkpoint and says each acknowledgement on standard output, until it is killed. */
import assert from 'node:assert/strict';
import { constants, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { checkpointPlaces } from '../../support/checkpoint-places.ts';
import { sha256 } from '../../support/facts.ts';
import { sayLine } from '../harness/written-lines.ts';
import { filesOf, writeFiles } from './files.ts';
import { planOf } from './plan.ts';

const [base = '', seed = ''] = process.argv.slice(2);
const plan = planOf(Number(seed));
const files = filesOf(plan, 'newer');
const ring = join(base, 'ring');

const places = await checkpointPlaces({ at: base, ringFile: 'ring' });
const writer = await places.writer({
  checkpointId: 'step-2',
  policy: plan.policy,
  depth: plan.depth,
  onAcknowledged: ({ index, path, offset, bytes }) => {
    if (index === 0) requireSynchronousWrites();
    const content = files.get(path)?.subarray(offset, offset + bytes) ?? Buffer.alloc(0);
    sayLine({ kind: 'chunk', path, offset, bytes, sha256: sha256(content) });
  },
});
await writeFiles(writer, files, () => sayLine({ kind: 'begun' }));
sayLine({ kind: 'committed' });
await writer.close();

/** A death of the process loses nothing that the kernel has; that power may go as well, only the flags of what is open say: as the kernel has them. */
function requireSynchronousWrites(): void {
  const open = readdirSync('/proc/self/fd').flatMap((fd) => {
    const path = linkOf(fd);
    return path === ring || path.startsWith(join(base, 'rack')) ? [{ path, flags: flagsOf(fd) }] : [];
  });
  const forWriting = open.filter(({ flags }) => (flags & (constants.O_WRONLY | constants.O_RDWR)) !== 0);
  assert.ok(
    forWriting.some(({ path }) => path === ring),
    'the ring is not open for writing',
  );
  for (const { path, flags } of forWriting) assert.ok((flags & constants.O_DSYNC) !== 0, `${path} was acknowledged, and is not open with O_DSYNC`);
}

/** The list's own descriptor is closed by now. */
function linkOf(fd: string): string {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return '';
  }
}

/** In octal. */
function flagsOf(fd: string): number {
  const [, flags = '0'] = /^flags:\s*(\d+)/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8')) ?? [];
  return Number.parseInt(flags, 8);
}
