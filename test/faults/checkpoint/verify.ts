/** What must hold once the faults are over, read from the stores and from nothing the writer said but its acknowledgements. */
import assert from 'node:assert/strict';
import { type CheckpointCopy, type CopyName, type RestoreTarget, restoreNearest } from '../../../datapath/checkpoint/nearest.ts';
import { readRingFile } from '../../../datapath/checkpoint/ring-copies.ts';
import { AREA_START, recordBytes } from '../../../datapath/checkpoint/ring-format.ts';
import type { RingEntry } from '../../../datapath/checkpoint/ring-scan.ts';
import { crc32c } from '../../../datapath/native/crc32c.ts';
import type { FileStore } from '../../../drivers/file-store/port.ts';
import { absent } from '../../../model/errors.ts';
import { type CheckpointPlaces, type FoundRing, globalDirectory, rackDirectory } from '../../support/checkpoint-places.ts';
import { sha256 } from '../../support/facts.ts';
import type { Files } from './files.ts';

/** Every acknowledgement, as it was given; outside of the product. */
export interface Ledger {
  readonly chunks: AcknowledgedBytes[];
  /** `begun` where the writer died, or failed, before it could say how the commit went. */
  commit: 'no' | 'begun' | 'acknowledged';
}
export interface AcknowledgedBytes {
  readonly path: string;
  readonly offset: number;
  readonly bytes: number;
  readonly sha256: string;
}

/** Where one checkpoint's bytes may lie before it is drained. */
export interface WrittenPlaces {
  readonly ring: FoundRing;
  /** In the ring. */
  readonly key: string;
  readonly rack: readonly [store: FileStore, directory: string];
  readonly global: readonly [store: FileStore, directory: string];
}

export const writtenPlaces = ({ rack, global }: CheckpointPlaces, ring: FoundRing, key: string, checkpointId: string): WrittenPlaces => ({
  ring,
  key,
  rack: [rack, rackDirectory(checkpointId)],
  global: [global, globalDirectory(checkpointId)],
});

/** In the rack, and in the ring or the global tier. */
export async function verifyChunks({ ring, key, rack, global }: WrittenPlaces, chunks: readonly AcknowledgedBytes[]): Promise<void> {
  const inRing = await ringChunks(ring, key);
  for (const { path, offset, bytes, sha256: expected } of chunks) {
    const isIn = async ([store, directory]: WrittenPlaces['rack']): Promise<boolean> => {
      const content = await store.readBytes(`${directory}/${path}`).catch(absent);
      return content !== undefined && sha256(content.subarray(offset, offset + bytes)) === expected;
    };
    const place = `${path} at ${offset}`;
    assert.ok(await isIn(rack), `acknowledged ${place} is not in the rack`);
    assert.ok(inRing.has(`${path} ${offset} ${expected}`) || (await isIn(global)), `acknowledged ${place} has no second copy`);
  }
}

async function ringChunks({ device, copies }: FoundRing, key: string): Promise<Set<string>> {
  const found = new Set<string>();
  for (const copy of copies.filter((each) => each.key === key)) {
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

/** Every record that a restart counts on is there and whole: what is torn was cut off. */
export async function verifyRing({ device, entries }: FoundRing): Promise<void> {
  for (const entry of entries) assert.ok(await isWhole(device, entry), `the ring counts on a damaged record at ${entry.position}`);
}

async function isWhole(device: FoundRing['device'], { header, position }: RingEntry): Promise<boolean> {
  if (!header) return false;
  if (header.kind === 'skip') return true;
  const record = await device.allocate(recordBytes(header.bytes));
  await device.read(record, AREA_START + position);
  const payload = record.subarray(recordBytes(0), recordBytes(0) + header.bytes);
  return crc32c(payload) === header.crc32c;
}

/** What is known of a commit: seen is one that was offered after a crash, and so may have been restarted from. */
export type Known = Ledger['commit'] | 'seen' | 'drained';

const demands: Readonly<Record<Known, (offered: ReadonlySet<CopyName>) => boolean>> = {
  no: (offered) => offered.size === 0,
  begun: () => true,
  seen: (offered) => offered.size > 0,
  // Twice, until it is drained.
  acknowledged: (offered) => offered.has('rack') && (offered.has('ring') || offered.has('global')),
  drained: (offered) => offered.has('erasure set'),
};

/** Offered as it is known, and whole in each copy that offers it. @returns whether it is offered at all */
export async function verifyOffered(
  places: CheckpointPlaces,
  ring: FoundRing,
  checkpointId: string,
  { known, files }: { readonly known: Known; readonly files: Files },
): Promise<boolean> {
  const offered: CheckpointCopy[] = [];
  for (const copy of await places.copies(checkpointId, ring)) if (await copy.record()) offered.push(copy);
  const names = new Set(offered.map(({ name }) => name));
  assert.ok(demands[known](names), `${checkpointId} is known as ${known} and offered by ${[...names].join(', ') || 'nobody'}`);
  for (const copy of offered) assert.deepEqual(await restored(places, checkpointId, [copy], files), []);
  return offered.length > 0;
}

/** Byte for byte, or not at all. @returns why a copy was passed over */
export async function restored(places: CheckpointPlaces, checkpointId: string, copies: readonly CheckpointCopy[], files: Files): Promise<readonly CopyName[]> {
  const directory = `${checkpointId}-${copies.map(({ name }) => name.replace(' ', '-')).join('-')}`;
  const target: RestoreTarget = { store: places.target, directory, attempt: 'verify', signal: places.signal };
  try {
    const { faults } = await restoreNearest(checkpointId, copies, target);
    for (const [path, content] of files) {
      const found = await places.target.readBytes(`${directory}/${path}`);
      assert.ok(found.equals(content), `${path} of ${checkpointId} from ${copies.map(({ name }) => name).join(', ')} is other content`);
    }
    return faults.map(({ copy }) => copy);
  } finally {
    await places.target.remove(directory);
  }
}
