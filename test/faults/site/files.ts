/** The content of a checkpoint: the writer's process makes the same. */
import { contentOf } from '../../support/fault-proxy-random.ts';
import type { Files } from '../checkpoint/files.ts';
import { CHECKPOINT_BYTES } from './plan.ts';

export const siteFilesOf = (seed: number, checkpointId: string): Files =>
  new Map(CHECKPOINT_BYTES.map((bytes, rank) => [`rank-${rank}/model.bin`, contentOf(bytes, seed, checkpointId, rank)]));
