/** Copies objects from one erasure set to another, such as that of another site: read from any 14 shards here, written as 18 of their own there. */
import type { RackStore } from '../../drivers/rack-store/port.ts';
import { PenstockError } from '../../model/errors.ts';
import type { CodecPool } from './codec-pool.ts';
import { MANIFEST_COPIES, newWriteId, PARITY_SHARDS } from './layout.ts';
import { type ErasureManifest, sameContent } from './manifest.ts';
import { findManifest, standingOf } from './manifest-copies.ts';
import { defaultPatience, type Patience } from './patience.ts';
import { readErasureBlocks, readErasureObject } from './reader.ts';
import { removeErasureObject } from './remove.ts';
import { repairErasureObject } from './repair.ts';
import { unsureShards, verifyErasureObject } from './verify.ts';
import { writeErasureObject } from './writer.ts';

export interface ReplicateErasureObject {
  readonly from: readonly RackStore[];
  readonly to: readonly RackStore[];
  readonly key: string;
  /** Also read back what lies there already. mend: and make whole what is not, from its own shards, or anew from here. */
  readonly existing?: 'believe' | 'verify' | 'mend' | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly patience?: Patience | undefined;
  readonly codec?: CodecPool | undefined;
  /** Bytes of content that the other set's racks have taken. */
  readonly onProgress?: ((bytes: number) => void) | undefined;
}
export interface ReplicatedErasureObject {
  /** mended: it was there, and shards of it were rebuilt there. gone: it is no longer here, and nothing was done. */
  readonly outcome: 'copied' | 'existed' | 'mended' | 'gone';
  readonly bytes: number;
  /** Racks that the copy may lose. */
  readonly margin: number;
}

/** As for a drain: two shards may be missing after a write and wait for repair. */
const LEAST_MARGIN = 2;

/**
 * Afterwards the other set has an object of the same key and content, read back where it was written now. May be repeated. Conflict where other content has the
 * key there; NotEnoughShards, CorruptSource where it cannot be read here; StoreUnavailable, OutOfSpace where racks there are missing or what was
 * written does not come back: then it is gone there again.
 */
export async function replicateErasureObject(request: ReplicateErasureObject): Promise<ReplicatedErasureObject> {
  const { from, to, key, signal, patience = defaultPatience } = request;
  const source = await findManifest(from, key, { patience, signal });
  if (!source) return { outcome: 'gone', bytes: 0, margin: 0 };
  const { bytes } = source.manifest;
  const existing = await existingCopy(request, source.manifest);
  if (existing) return { ...existing, bytes };

  const { content, manifest } = await readErasureObject({ racks: from, key, signal, patience, codec: request.codec });
  const written = await writeErasureObject({
    racks: to,
    key,
    content,
    bytes: manifest.bytes,
    crc32c: manifest.crc32c,
    writeId: newWriteId(),
    signal,
    patience,
    codec: request.codec,
    onProgress: request.onProgress,
  });
  const { outcome } = written;
  return { outcome: outcome === 'written' ? 'copied' : 'existed', bytes: manifest.bytes, margin: await demandSound(request, manifest, outcome === 'written') };
}

type ExistingCopy = Pick<ReplicatedErasureObject, 'outcome' | 'margin'>;

/** Undefined where there is no whole copy with a whole commit: then it is written, or its commit completed. */
async function existingCopy(request: ReplicateErasureObject, source: ErasureManifest): Promise<ExistingCopy | undefined> {
  const { to, key, signal, patience = defaultPatience, existing = 'believe' } = request;
  const there = await findManifest(to, key, { patience, signal });
  if (!there || there.holders.length < MANIFEST_COPIES || !sameContent(there.manifest, source)) return undefined;
  const standing = await standingOf(there.manifest, to, { patience, signal });
  if (standing.state !== 'restorable') return undefined;
  if (existing === 'mend') return await mended(request, source);
  const margin = existing === 'verify' ? await demandSound(request, source, false) : PARITY_SHARDS - standing.missing.length;
  return { outcome: 'existed', margin };
}

/** Undefined where nothing can be read of it there any more: it was removed there, once it was read to its end here. */
async function mended(request: ReplicateErasureObject, source: ErasureManifest): Promise<ExistingCopy | undefined> {
  const { from, to: racks, key, signal, patience, codec } = request;
  const facts = await verifyErasureObject({ racks, key, signal, patience, codec });
  if (facts.ok && facts.margin === PARITY_SHARDS) return { outcome: 'existed', margin: facts.margin };
  if (facts.digestMatches) {
    const isSuspect = ({ index }: { readonly index: number }) => facts.shards.some((shard) => shard.index === index && shard.state === 'rotten');
    const suspects = facts.manifest.shards.filter(isSuspect).map((shard) => ({ ...shard, state: 'rotten' as const }));
    const { outcome } = await repairErasureObject({ racks, key, suspects, signal, patience, codec });
    return { outcome: outcome === 'sound' ? 'existed' : 'mended', margin: await demandSound(request, source, false) };
  }
  const unsure = unsureShards(facts);
  if (unsure.length > 0)
    throw new PenstockError(
      'StoreUnavailable',
      `the copy of ${JSON.stringify(key)} cannot be read, and not all of it was seen: ${unsure.map(({ rack }) => rack).join(', ')}.`,
      {
        nextStep: 'It is read again until these racks answer, for they may have what is missing.',
      },
    );
  const { blocks } = await readErasureBlocks({ racks: from, key, signal, patience, codec });
  for await (const _block of blocks) signal?.throwIfAborted();
  await removeErasureObject({ racks, key, signal, patience });
  return undefined;
}

/** @returns the margin */
async function demandSound(request: ReplicateErasureObject, source: ErasureManifest, isOurs: boolean): Promise<number> {
  const { to: racks, key, signal, patience, codec } = request;
  const { digestMatches, margin, manifest, shards } = await verifyErasureObject({ racks, key, signal, patience, codec });
  if (digestMatches && margin >= LEAST_MARGIN && sameContent(manifest, source)) return margin;
  const unsound = shards.filter(({ state }) => state !== 'sound').map(({ rack, message, state }) => `${rack ?? 'no rack'} (${message ?? state})`);
  const found = `the copy of ${JSON.stringify(key)} has a margin of ${margin} lost racks, ${LEAST_MARGIN} are needed: ${unsound.join(', ')}.`;
  const isRotten = !digestMatches || shards.some(({ state }) => state === 'rotten');
  if (!isRotten) throw new PenstockError('StoreUnavailable', found, { nextStep: 'It is read again until the racks answer, or were repaired.' });
  if (!isOurs) throw new PenstockError('CorruptSource', found, { nextStep: 'Repair it at its own site, or copy with `--verify mend`.' });
  // Left there, it would pass for a good one at the next look.
  await removeErasureObject({ racks, key, signal, patience });
  throw new PenstockError('StoreUnavailable', found, { nextStep: 'It was taken away again and is written anew.' });
}
