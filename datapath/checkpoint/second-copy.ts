/**
 * The copy beside the rack's: the node's ring, or, where that fails and the policy allows a degraded commit, the global tier. What the ring had taken by then is
 * copied from the rack first, so that every chunk has two sound copies again.
 */
import type { OpenFile } from '../../drivers/file-store/port.ts';
import { messageOf, PenstockError } from '../../model/errors.ts';
import { crc32c } from '../native/crc32c.ts';
import { BLOCK_BYTES, CHUNK_BYTES, padded, RECORD_BYTES } from './ring-format.ts';
import type { CheckpointChunk } from './sink.ts';
import type { Deadlined } from './write-deadline.ts';

export interface Reweighting {
  /** Opens the global tier's place of the checkpoint. */
  readonly openGlobal: () => Promise<Deadlined>;
  /** Reads what the rack holds of the checkpoint. */
  readonly openInRack: (path: string) => Promise<OpenFile>;
  /** Aligned memory. */
  readonly allocate: (bytes: number) => Promise<Buffer>;
}
export interface SecondCopy extends Omit<Deadlined, 'write'> {
  /** @param inRack settles when the rack has the chunk: only then can it be copied from there */
  write(chunk: CheckpointChunk, inRack: Promise<void>): Promise<void>;
  /** Why the ring does not have it; undefined where it does. */
  degradedBy(): string | undefined;
}

/** @param reweighting absent where the policy is strict */
export function createSecondCopy(ring: Deadlined, reweighting?: Reweighting): SecondCopy {
  /** What the ring alone has taken, by file. */
  const taken = new Map<string, TakenFile>();
  /** On their way to the rack. */
  const landing = new Set<Promise<void>>();
  let reason: string | undefined;
  let switched: Promise<Deadlined> | undefined;
  let global: Deadlined | undefined;
  const current = (): Promise<Deadlined> => switched ?? Promise.resolve(ring);

  function reweight(error: unknown): Promise<Deadlined> {
    if (!reweighting) throw error;
    reason ??= messageOf(error);
    switched ??= Promise.all(landing).then(() =>
      catchUp(reweighting, taken, (opened) => {
        global = opened;
      }),
    );
    return switched;
  }

  async function write(chunk: CheckpointChunk, inRack: Promise<void>): Promise<void> {
    const forget = (): void => void landing.delete(inRack);
    landing.add(inRack);
    inRack.then(forget, forget);
    if (!switched) {
      try {
        await ring.write(chunk);
        // Where another chunk has failed meanwhile, this one is wanted at the global tier as well.
        if (!switched) return note(taken, chunk);
      } catch (error) {
        reweight(error).catch(() => undefined);
      }
    }
    await (await current()).write(chunk);
  }

  return {
    name: ring.name,
    durability: () => (global ?? ring).durability(),
    degradedBy: () => reason,
    isHolding: (block) => ring.isHolding(block) || (global?.isHolding(block) ?? false),
    write,
    accept: (record) => {
      if (!switched) ring.accept(record);
    },
    async publish(record) {
      try {
        return await (await current()).publish(record);
      } catch (error) {
        if (switched) throw error;
        return await (await reweight(error)).publish(record);
      }
    },
    retract: async () => (await current()).retract(),
    async close() {
      await ring.close();
      await switched?.catch(() => undefined);
      await global?.close();
    },
  };
}

interface TakenFile {
  /** By the chunk's place in the file. */
  readonly sums: Map<number, number>;
  fileBytes: number | undefined;
}

function note(taken: Map<string, TakenFile>, { path, offset, crc32c: sum, fileBytes }: CheckpointChunk): void {
  const file = taken.get(path) ?? { sums: new Map<number, number>(), fileBytes: undefined };
  taken.set(path, file);
  file.sums.set(offset / CHUNK_BYTES, sum);
  file.fileBytes ??= fileBytes;
}

async function catchUp(
  { openGlobal, openInRack, allocate }: Reweighting,
  taken: ReadonlyMap<string, TakenFile>,
  onOpened: (global: Deadlined) => void,
): Promise<Deadlined> {
  const global = await openGlobal();
  onOpened(global);
  const block = await allocate(RECORD_BYTES);
  for (const [path, { sums, fileBytes }] of taken) {
    const file = await openInRack(path);
    try {
      for (const [place, sum] of sums) {
        const offset = place * CHUNK_BYTES;
        const isLast = fileBytes !== undefined && offset + CHUNK_BYTES >= fileBytes;
        const bytes = isLast ? fileBytes - offset : CHUNK_BYTES;
        const content = block.subarray(BLOCK_BYTES, BLOCK_BYTES + bytes);
        await file.read(content, offset);
        if (crc32c(content) !== sum) throw new PenstockError('CorruptSource', `${path} at ${offset} reads other than it was written to the rack.`);
        block.fill(0, BLOCK_BYTES + bytes, BLOCK_BYTES + padded(bytes));
        await global.write({ index: 0, path, offset, bytes, crc32c: sum, fileBytes: isLast ? fileBytes : undefined, expectedBytes: fileBytes, block });
      }
    } finally {
      await file.close();
    }
  }
  return global;
}
