/** What must hold once the faults are over, read from the stores and from nothing the writer said but its acknowledgements. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { type CheckpointCopy, type RestoreTarget, restoreNearest } from '../../../datapath/checkpoint/nearest.ts';
import { readRingFile, ringCopies } from '../../../datapath/checkpoint/ring-copies.ts';
import { scanRing } from '../../../datapath/checkpoint/ring-scan.ts';
import type { FileStore } from '../../../drivers/file-store/port.ts';
import { absent } from '../../../model/errors.ts';
import { type CheckpointPlaces, globalDirectory, rackDirectory } from '../../support/checkpoint-places.ts';

/** Every acknowledgement, as it was given; outside of the product. */
export interface Ledger {
  readonly chunks: { readonly path: string; readonly offset: number; readonly bytes: number; readonly sha256: string }[];
  /** `begun` where the writer died, or failed, before it could say how the commit went. */
  commit: 'no' | 'begun' | 'acknowledged';
}

export const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

export type Files = ReadonlyMap<string, Buffer>;

/** In the rack, and in the ring or the global tier. */
export async function verifyChunks(places: CheckpointPlaces, checkpointId: string, { chunks }: Ledger): Promise<void> {
  const inRing = await ringChunks(places, checkpointId);
  for (const { path, offset, bytes, sha256: expected } of chunks) {
    const here = (content: Buffer | undefined): boolean => content !== undefined && sha256(content.subarray(offset, offset + bytes)) === expected;
    const place = `${path} at ${offset}`;
    assert.ok(here(await read(places.rack, `${rackDirectory(checkpointId)}/${path}`)), `acknowledged ${place} is not in the rack`);
    const isSecond = inRing.has(`${path} ${offset} ${expected}`) || here(await read(places.global, `${globalDirectory(checkpointId)}/${path}`));
    assert.ok(isSecond, `acknowledged ${place} has no second copy`);
  }
}

const read = (store: FileStore, path: string): Promise<Buffer | undefined> => store.readBytes(path).catch(absent);

async function ringChunks(places: CheckpointPlaces, checkpointId: string): Promise<Set<string>> {
  const device = await places.readRing();
  const found = new Set<string>();
  for (const copy of await ringCopies(device, (await scanRing(device))?.entries ?? [])) {
    if (!copy.key.endsWith(`/${checkpointId}`)) continue;
    for (const path of copy.chunks.keys()) {
      let offset = 0;
      try {
        for await (const content of readRingFile(device, copy, path)) {
          found.add(`${path} ${offset} ${sha256(content)}`);
          offset += content.length;
        }
      } catch {
        // What lies behind a chunk that never came was not acknowledged.
      }
    }
  }
  return found;
}

/** No record of the ring is damaged: what is torn was cut off. */
export async function verifyRing(places: CheckpointPlaces): Promise<void> {
  const scanned = await scanRing(await places.readRing());
  assert.ok(scanned, 'the ring is gone');
  assert.ok(
    scanned.entries.every(({ header }) => header !== undefined),
    'the ring holds a hole',
  );
}

/** Offered where it was acknowledged, never where its commit had not begun, and whole in each copy that offers it. */
export async function verifyOffered(places: CheckpointPlaces, checkpointId: string, commit: Ledger['commit'], files: Files): Promise<boolean> {
  const copies = await places.copies(checkpointId);
  const offered: CheckpointCopy[] = [];
  for (const copy of copies) if (await copy.record()) offered.push(copy);
  if (commit === 'acknowledged') assert.ok(offered.length > 0, `${checkpointId} was acknowledged and is not offered`);
  if (commit === 'no') assert.equal(offered.length, 0, `${checkpointId} was never committed and is offered by ${offered.map(({ name }) => name).join(', ')}`);
  for (const copy of offered) await verifyRestored(places, checkpointId, [copy], files);
  return offered.length > 0;
}

async function verifyRestored(places: CheckpointPlaces, checkpointId: string, copies: readonly CheckpointCopy[], files: Files): Promise<void> {
  const directory = `${checkpointId}-${copies.map(({ name }) => name.replace(' ', '-')).join('-')}`;
  const target: RestoreTarget = { store: places.target, directory, attempt: 'verify', signal: places.signal };
  const { faults } = await restoreNearest(checkpointId, copies, target);
  assert.deepEqual(faults, []);
  for (const [path, content] of files) {
    const restored = await places.target.readBytes(`${directory}/${path}`);
    assert.ok(restored.equals(content), `${path} of ${checkpointId} from ${copies.map(({ name }) => name).join(', ')} is other content`);
  }
  await places.target.remove(directory);
}
