/** Where an object lies, asked of the racks themselves. No activity: an operator asks, and must get an answer while Temporal is away. */
import { readDrainedRecord } from '../datapath/checkpoint/drained.ts';
import { wholeWrites } from '../datapath/erasure/abandoned.ts';
import { locateErasureObject } from '../datapath/erasure/locate.ts';
import { defaultPatience } from '../datapath/erasure/patience.ts';
import type { Stores } from '../drivers/open-site.ts';
import type { RackStore } from '../drivers/rack-store/port.ts';
import { isType, PenstockError } from '../model/errors.ts';
import type { LocatedObject } from '../model/located-object.ts';
import { claimableAt } from '../model/scrub.ts';

/**
 * A small file of a checkpoint is where its pack is.
 * @param replica a copy's set, by its name in the site file; the site's own where absent
 */
export async function whereIs(stores: Stores, key: string, replica?: string): Promise<LocatedObject> {
  const racks = replica === undefined ? stores.shardRacks : await stores.replicaRacks(replica);
  try {
    return await locateErasureObject({ racks, key });
  } catch (error) {
    if (!isType(error, 'NotFound')) throw error;
    const member = await memberOf(racks, key);
    if (member === undefined) throw await asUnclaimed(stores, racks, key, error);
    return { ...(await locateErasureObject({ racks, key: member.pack })), member: key, memberContent: member.content };
  }
}

interface PackMember {
  readonly pack: string;
  readonly content: NonNullable<LocatedObject['memberContent']>;
}

async function memberOf(racks: readonly RackStore[], key: string): Promise<PackMember | undefined> {
  const [, prefix, path] = /^(.+?\/checkpoints\/[^/]+\/)(.+)$/.exec(key) ?? [];
  if (prefix === undefined) return undefined;
  const record = await readDrainedRecord({ racks, prefix, signal: new AbortController().signal });
  if (!record || record.formatVersion === 1) return undefined;
  const file = record.files.find((each) => each.path === path);
  const pack = file?.pack === undefined ? undefined : record.packs[file.pack];
  return file && pack ? { pack: prefix + pack.name, content: { bytes: file.bytes, crc32c: file.crc32c } } : undefined;
}

/** Its shards may be there, and nothing that names them. */
async function asUnclaimed({ site }: Stores, racks: readonly RackStore[], key: string, notFound: PenstockError): Promise<PenstockError> {
  const writes = await wholeWrites(racks, key, { patience: defaultPatience }).catch(() => []);
  const [first] = writes;
  if (!first) return notFound;
  const { sweepAfterHours } = site.policies;
  const latest = Math.max(...writes.map(({ beganAtMilliseconds }) => beganAtMilliseconds));
  return new PenstockError('NotFound', `${notFound.message.replace(/\.$/, '')}: none of its manifests is there. Shards of ${writes.length} whole writes are.`, {
    nextStep: `\`penstock erasure repair start --claim ${key}\` makes its manifest anew, not before ${claimableAt(latest, sweepAfterHours)}: until then a write may be under way.`,
  });
}
