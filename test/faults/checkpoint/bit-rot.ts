/** A bit that turns in one of the copies of a committed checkpoint: never wrong bytes, and the other copy has them. */
import assert from 'node:assert/strict';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import type { CopyName } from '../../../datapath/checkpoint/nearest.ts';
import { AREA_START, recordBytes } from '../../../datapath/checkpoint/ring-format.ts';
import { type CheckpointPlaces, type FoundRing, rackDirectory } from '../../support/checkpoint-places.ts';
import type { Files } from './files.ts';
import type { CheckpointPlan } from './plan.ts';
import { restored } from './verify.ts';

/** Set right again afterwards. @returns in which copy it was; undefined where there is no byte to turn */
export async function verifyBitRot(places: CheckpointPlaces, ring: FoundRing, plan: CheckpointPlan, files: Files): Promise<CopyName | undefined> {
  const place = placeOf(plan, files);
  if (!place) return undefined;
  const rotten: CopyName = plan.isAgain ? 'ring' : 'rack';
  const turn = () => (rotten === 'ring' ? turnInRing(places, ring, place) : turnInRack(places, place));
  await turn();
  const copies = await places.copies('step-2', ring);
  const alone = copies.filter(({ name }) => name === rotten);
  await assert.rejects(restored(places, 'step-2', alone, files), { name: 'CheckpointIncomplete' }, `a ${rotten} copy with a turned bit was restored`);
  // The ring is the nearest: a rotten rack is not even looked at.
  assert.deepEqual(await restored(places, 'step-2', copies, files), rotten === 'ring' ? ['ring'] : []);
  if (rotten === 'rack') await assert.rejects(places.drain('step-2'), { name: 'CorruptSource' }, 'a rack copy with a turned bit was drained');
  await turn();
  return rotten;
}

interface Place {
  readonly path: string;
  readonly offset: number;
}

/** The plan's byte, counted through all files. */
function placeOf({ at }: CheckpointPlan, files: Files): Place | undefined {
  let offset = at;
  for (const [path, { length }] of files) {
    if (offset < length) return { path, offset };
    offset -= length;
  }
  return undefined;
}

async function turnInRing({ disk }: CheckpointPlaces, { entries }: FoundRing, { path, offset }: Place): Promise<void> {
  const entry = entries.find(({ header }) => header?.path === path && header.fileOffset <= offset && offset < header.fileOffset + header.bytes);
  assert.ok(entry?.header);
  const position = AREA_START + entry.position + recordBytes(0) + offset - entry.header.fileOffset;
  disk.content.writeUInt8(disk.content.readUInt8(position) ^ 1, position);
}

async function turnInRack({ rack }: CheckpointPlaces, { path, offset }: Place): Promise<void> {
  const file = await open(join(rack.root, rackDirectory('step-2'), path), 'r+');
  try {
    const byte = Buffer.alloc(1);
    await file.read(byte, 0, 1, offset);
    byte.writeUInt8(byte.readUInt8(0) ^ 1);
    await file.write(byte, 0, 1, offset);
  } finally {
    await file.close();
  }
}
