/** What the erasure set has lost of a drained checkpoint is stored again from its rack's copy, as long as that stands. */
import { COMMIT_RECORD } from '../../model/checkpoint.ts';
import type { DrainedFile } from '../../model/drained-record.ts';
import { PenstockError } from '../../model/errors.ts';
import { removeErasureObject } from '../erasure/index.ts';
import { crc32cOfStream } from '../transfer/crc32c.ts';
import { readCommitRecord } from './commit.ts';
import { type DrainFiles, drainFiles } from './drain.ts';
import { demandDrainedRecord, unitsOf } from './drained.ts';

/**
 * The rack's copy of what was lost is read and held to the record before anything goes; then the record goes, so that nothing half is offered, then the lost objects, and all is drained
 * as ever: what is still there is compared. May be repeated; where it was ended in the midst, {@link drainFiles} ends it.
 * @param names of the objects, as verifyFiles tells them. @throws CorruptSource where the rack's copy is damaged as well; then nothing was removed
 */
export async function drainAgain(request: DrainFiles, names: readonly string[]): Promise<void> {
  const { racks, prefix, signal, source, directory } = request;
  const standing = await demandDrainedRecord(request);
  if ((await readCommitRecord(source, directory))?.digest !== standing.digest) throw damaged(request, 'its record');
  const lost = unitsOf(standing).filter(({ name }) => names.includes(name));
  for (const { files } of lost) for (const file of files) await requireSource(file, request);
  for (const name of [COMMIT_RECORD, ...lost.map((unit) => unit.name)]) {
    await removeErasureObject({ racks, key: `${prefix}${name}`, includeAttempts: true, signal });
  }
  await drainFiles(request);
}

async function requireSource({ path, bytes, crc32c }: DrainedFile, request: DrainFiles): Promise<void> {
  const { source, directory, limiter, signal } = request;
  const found = await crc32cOfStream(await source.read(`${directory}/${path}`, { signal }), limiter && ((some) => limiter.take(some, signal)));
  if (found.bytes !== bytes || found.crc32c !== crc32c) throw damaged(request, path);
}

const damaged = ({ source, directory }: DrainFiles, what: string): PenstockError =>
  new PenstockError('CorruptSource', `${directory}: the erasure set has lost a part of it, and of the copy in the rack ${what} is not what was committed.`, {
    store: source.name,
    nextStep: "Look for the node's copy before its node is wiped; what is left in the erasure set stays.",
  });
