/** A committed checkpoint's way to the erasure set: large files as objects of their own, small ones in packs, the record last. */
import type { Readable } from 'node:stream';
import type { FileStore, OpenFile, PublishScope } from '../../drivers/file-store/port.ts';
import { COMMIT_RECORD } from '../../model/checkpoint.ts';
import type { CheckpointRecord } from '../../model/checkpoint-record.ts';
import type { DrainedFile, DrainedRecord, PackedRecord } from '../../model/drained-record.ts';
import { isType, PenstockError } from '../../model/errors.ts';
import {
  DATA_SHARDS,
  endangered,
  listErasureObjects,
  MANIFEST_COPIES,
  newWriteId,
  openPack,
  openPackObject,
  PARITY_SHARDS,
  packContent,
  packOf,
  planPacks,
  removeErasureObject,
  unsureShards,
  verifyErasureObject,
  writeErasureObject,
} from '../erasure/index.ts';
import { inLanes } from '../transfer/lanes.ts';
import type { RateLimiter } from '../transfer/rate-limiter.ts';
import { readCommitRecord } from './commit.ts';
import {
  type DrainedUnit,
  demandDrainedRecord,
  eachUnit,
  fileUnit,
  type InErasureSet,
  type MemberFile,
  memberOf,
  type PackUnit,
  packUnit,
  readDrainedRecord,
  unitsOf,
  type WithDamage,
  type WithProgress,
  writeDrainedRecord,
} from './drained.ts';

export interface DrainFiles extends InErasureSet, WithProgress {
  readonly source: FileStore;
  readonly directory: string;
  readonly attempt: string;
  /** What is stored has to pass it, parity and all; no limit where absent. */
  readonly limiter?: RateLimiter;
}

/** What a checkpoint of so many bytes is in the erasure set, and on the way to it; what each shard has beside its cells comes on top. */
export const storedBytes = (bytes: number): number => Math.ceil((bytes * (DATA_SHARDS + PARITY_SHARDS)) / DATA_SHARDS);

/**
 * Every byte is held against the checksum of the commit on its way; the record comes last, for it is what makes a checkpoint, and it alone says what belongs
 * to one. Attempts may differ in what they write before it: where another one's record stands and is of the same commit, all is done.
 */
export async function drainFiles(request: DrainFiles): Promise<void> {
  const { source, directory } = request;
  const record = await readCommitRecord(source, directory);
  const standing = await readDrainedRecord(request);
  if (!record) {
    // A repeat after the copy was released finds its effect in the erasure set.
    if (standing) return;
    throw new PenstockError('CheckpointIncomplete', `${directory} has no commit record.`, {
      store: source.name,
      nextStep: 'Only committed checkpoints are drained.',
    });
  }
  if (standing?.digest === record.digest) return;
  const scope = source.createScope();
  try {
    await drainRecord(record, { ...request, scope });
  } finally {
    await scope.close();
  }
}

interface Draining extends DrainFiles {
  /** Directories are opened once, not once a file. */
  readonly scope: PublishScope;
}

async function drainRecord(record: CheckpointRecord, request: Draining): Promise<void> {
  const files = await describedFiles(record, request);
  const { packs, single } = planPacks(files);
  const packed = packs.map(packUnit);
  const units = [...packed, ...single.map(({ file }) => fileUnit(file))];
  await eachUnit(units, request, writeUnit);
  try {
    await writeDrainedRecord(request, drainedRecord(record, files, packed));
  } catch (error) {
    const standing = isType(error, 'Conflict') ? await readDrainedRecord(request) : undefined;
    if (standing?.digest !== record.digest) throw error;
    await removeUnnamed(units, standing, request);
  }
}

/** What this attempt wrote and the other's record does not name. Where that fails, it goes with the checkpoint. */
async function removeUnnamed(units: readonly DrainedUnit[], standing: DrainedRecord, { racks, prefix, signal }: InErasureSet): Promise<void> {
  const named = new Set(unitsOf(standing).map(({ name }) => name));
  const strays = units.filter(({ name }) => !named.has(name));
  await Promise.allSettled(strays.map(({ name }) => removeErasureObject({ racks, key: `${prefix}${name}`, signal })));
}

const DESCRIBED_AT_ONCE = 8;

/** With what the file system says of each, which the commit does not. */
async function describedFiles({ files }: CheckpointRecord, { source, directory, signal, scope }: Draining): Promise<MemberFile[]> {
  const described = new Map<CheckpointRecord['files'][number], MemberFile>();
  await inLanes(files, DESCRIBED_AT_ONCE, async (file) => {
    signal.throwIfAborted();
    const opened = await source.openFile(`${directory}/${file.path}`, { scope });
    try {
      const { mode = DEFAULT_MODE } = await opened.attributes();
      described.set(file, memberOf({ ...file, modifiedAt: opened.facts.modifiedAt, mode }));
    } finally {
      await opened.close();
    }
  });
  return files.flatMap((file) => described.get(file) ?? []);
}

/** Where the store keeps no permissions. */
const DEFAULT_MODE = 0o644;

function drainedRecord(record: CheckpointRecord, files: readonly MemberFile[], packed: readonly PackUnit[]): PackedRecord {
  const packIndex = new Map(packed.flatMap(({ pack }, index) => pack.members.map((member) => [member, index] as const)));
  return {
    ...record,
    formatVersion: 2,
    files: files.map((member) => {
      const pack = packIndex.get(member);
      return pack === undefined ? member.file : { ...member.file, pack };
    }),
    packs: packed.map(({ name, pack }) => ({ name, bytes: pack.bytes })),
  };
}

async function writeUnit(unit: DrainedUnit, request: Draining, onProgress: (bytes: number) => void): Promise<void> {
  const { racks, prefix, signal } = request;
  const write = (content: Readable | Pick<OpenFile, 'read'>, facts: { bytes: number; crc32c?: string }) =>
    writeErasureObject({ racks, key: `${prefix}${unit.name}`, content, ...facts, writeId: newWriteId(), signal, onProgress });
  try {
    if (unit.kind === 'pack') await write(contentOfPack(unit, request), { bytes: unit.pack.bytes });
    else await withFile(unit.file, request, (file) => write(file, { bytes: unit.file.bytes, crc32c: unit.file.crc32c }));
  } catch (error) {
    if (!isType(error, 'ChecksumMismatch')) throw error;
    // Reading it again would not mend it: a person must know, while the node's copy may still be there.
    throw new PenstockError('CorruptSource', error.message, { nextStep: "Look for the node's copy before its node is wiped.", cause: error });
  }
}

function contentOfPack({ pack }: PackUnit, request: Draining): Readable {
  return packContent(pack, {
    store: request.source.name,
    read: ({ file }, into) => withFile(file, request, (opened) => opened.read(into, 0)),
  });
}

async function withFile(
  file: DrainedFile,
  { source, directory, signal, scope, limiter }: Draining,
  use: (opened: Pick<OpenFile, 'read'>) => Promise<unknown>,
): Promise<void> {
  signal.throwIfAborted();
  const opened = await source.openFile(`${directory}/${file.path}`, { scope });
  try {
    const { bytes } = opened.facts;
    if (bytes !== file.bytes) {
      throw new PenstockError('SourceChanged', `${directory}/${file.path} has ${bytes} bytes where ${file.bytes} were committed.`, { store: source.name });
    }
    await use({
      async read(into, position) {
        await limiter?.take(storedBytes(into.length), signal);
        await opened.read(into, position);
      },
    });
  } finally {
    await opened.close();
  }
}

/** Two shards may be missing after a write and wait for repair; a copy with less margin is not one to let go of the source for. */
const LEAST_MARGIN = 2;

export interface VerifyDrained extends InErasureSet, WithProgress, WithDamage {
  /** What is read from the racks has to pass it, parity and all; no limit where absent. */
  readonly limiter?: RateLimiter;
  /** Told the name of an object that nothing in the erasure set can mend any more, in place of a failure: whoever has its source stores it again (drain-again.ts). */
  readonly onLost?: (name: string) => void;
}

/** Reads every shard of every object back from its rack. StoreUnavailable, which is tried again, where too few shards are sound or manifest copies there; it names the racks. */
export async function verifyFiles(request: VerifyDrained): Promise<void> {
  const record = await demandDrainedRecord(request);
  await eachUnit(unitsOf(record), request, async (unit, called, onProgress) => {
    const found = await verifyObject(unit.name, called, onProgress);
    if (unit.kind === 'pack' && found === 'sound') await verifyIndex(unit, called);
  });
  await verifyObject(COMMIT_RECORD, request);
}

async function verifyObject(
  name: string,
  { racks, prefix, signal, onDamage, onLost, limiter }: VerifyDrained,
  onProgress?: (bytes: number) => void,
): Promise<'sound' | 'lost'> {
  const key = `${prefix}${name}`;
  const pace = limiter && ((bytes: number) => limiter.take(bytes, signal));
  const verified = await verifyErasureObject({ racks, key, signal, onProgress, pace });
  const { manifest, digestMatches, margin, manifestCopies, shards } = verified;
  // What a rack that does not answer may have is not lost.
  if (onLost && !digestMatches && margin + unsureShards(verified).length < 0) {
    onLost(name);
    return 'lost';
  }
  if (margin < PARITY_SHARDS || manifestCopies < MANIFEST_COPIES) await onDamage?.(endangered(manifest, shards));
  if (digestMatches && margin >= LEAST_MARGIN && manifestCopies >= MANIFEST_COPIES) return 'sound';
  const unsound = shards.filter((shard) => shard.state !== 'sound').map((shard) => `${shard.rack ?? 'no rack'} (${shard.message ?? shard.state})`);
  throw new PenstockError(
    'StoreUnavailable',
    `${key} has a margin of ${margin} lost racks and ${manifestCopies} manifest copies, ${LEAST_MARGIN} and ${MANIFEST_COPIES} are needed to release its source${unsound.length > 0 ? `: ${unsound.join(', ')}` : ''}.`,
    {
      store: 'erasure set',
      nextStep: 'It is queued for repair and read again until the racks answer; the in-rack copy is kept.',
    },
  );
}

/** That whoever has nothing but the pack finds the same files in it as the record. */
async function verifyIndex({ name, pack }: PackUnit, { racks, prefix, signal }: InErasureSet): Promise<void> {
  const { members } = await openPack(await openPackObject({ racks, key: `${prefix}${name}`, signal }));
  if (packOf(members).id !== pack.id) throw new PenstockError('CorruptSource', `the index of ${prefix}${name} is not that of the checkpoint's record.`);
}

/** Removes the record first, so that a half-removed checkpoint is never offered. */
export async function removeDrained(request: InErasureSet): Promise<void> {
  const { racks, prefix, signal } = request;
  await removeErasureObject({ racks, key: `${prefix}${COMMIT_RECORD}`, includeAttempts: true, signal });
  // Removed page by page from the start: what is gone is not listed again.
  for (
    let page = await listErasureObjects({ racks, prefix, signal });
    page.keys.length > 0;
    page = await listErasureObjects({ racks, prefix, signal, after: page.keys.at(-1) })
  ) {
    for (const key of page.keys) await removeErasureObject({ racks, key, includeAttempts: true, signal });
  }
}
