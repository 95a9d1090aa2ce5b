/** The catalog: what is where, re-read from the trees at every question. */
import type { HotTierCapacity, Locality } from '../../drivers/hot-tier/port.ts';
import { promisedBytes, sum } from './admission.ts';
import { acceptPath } from './schemas.ts';
import { measureUse, promisesOf } from './space.ts';
import { live } from './state.ts';
import type { Tier } from './tier.ts';
import { type WalkedFile, walk } from './tree.ts';

/** Hot: a regular file is in the tree, and it is not shorter or longer than what the origin has under that name. */
export function isHot({ here, there }: WalkedFile): boolean {
  return here !== undefined && (there === undefined || here.size === there.size);
}

/** Each file counts once: hot, or remote where the origin's content is not (or not that one) in the tree. */
export async function locate(tier: Tier, raw: string): Promise<Locality> {
  const path = acceptPath(raw, 'query');
  let hotFiles = 0;
  let hotBytes = 0;
  let remoteFiles = 0;
  let remoteBytes = 0;
  for await (const file of walk({ here: tier.config.root, there: tier.config.originRoot }, path)) {
    if (isHot(file)) {
      hotFiles += 1;
      hotBytes += Number(file.here?.size ?? 0n);
    } else {
      remoteFiles += 1;
      remoteBytes += Number(file.there?.size ?? 0n);
    }
  }
  return { path, files: hotFiles + remoteFiles, bytes: hotBytes + remoteBytes, hotFiles, hotBytes, remoteFiles, remoteBytes };
}

export async function capacity(tier: Tier): Promise<HotTierCapacity> {
  const state = tier.store.current();
  const promises = promisesOf(state, tier.now());
  const { usedBytes, usedBelow } = await measureUse(
    tier.config.root,
    promises.map(({ path }) => path),
  );
  const { capacityBytes, readBytesPerSecond, writeBytesPerSecond } = tier.config;
  const floorsBytesPerSecond = sum(live(state.exports, tier.now()).map((each) => each.qos.floorBytesPerSecond));
  return { capacityBytes, usedBytes, reservedBytes: promisedBytes(promises, usedBelow), writeBytesPerSecond, readBytesPerSecond, floorsBytesPerSecond };
}
