/** What is written: made from the plan alone, so that a process of its own makes the same. */
import { join } from 'node:path';
import type { CheckpointWriter } from '../../../datapath/checkpoint/write-checkpoint.ts';
import { type CheckpointPlaces, once } from '../../support/checkpoint-places.ts';
import { contentOf } from '../../support/fault-proxy-random.ts';
import type { CheckpointPlan } from './plan.ts';

export type Files = ReadonlyMap<string, Buffer>;

export function filesOf({ seed, sizes }: Pick<CheckpointPlan, 'seed' | 'sizes'>, name: string): Files {
  return new Map(sizes.map((bytes, index) => [join(index % 3 === 2 ? 'sub' : '', `${name}-${index}.bin`), contentOf(bytes, seed, name, index)]));
}

export async function writeFiles(writer: CheckpointWriter, files: Files, beforeCommit: () => void = () => undefined): Promise<void> {
  for (const [path, content] of files) await writer.addFile(path, once(content));
  beforeCommit();
  await writer.commit();
}

/** Without a fault. */
export async function writeWhole(places: CheckpointPlaces, checkpointId: string, files: Files): Promise<void> {
  const writer = await places.writer({ checkpointId });
  try {
    await writeFiles(writer, files);
  } finally {
    await writer.close();
  }
}
