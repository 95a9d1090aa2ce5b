/** What a drained checkpoint consists of: its record, and the objects that the record names. What lies beside them is not of the checkpoint. */
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import type { RackStore } from '../../drivers/rack-store/port.ts';
import { COMMIT_RECORD } from '../../model/checkpoint.ts';
import { type DescribedFile, type DrainedFile, type DrainedRecord, DrainedRecordSchema, packName } from '../../model/drained-record.ts';
import { isType, PenstockError } from '../../model/errors.ts';
import { formatIssues, parseInput } from '../../model/issues.ts';
import { type EndangeredObject, newWriteId, type Pack, type PackMember, packOf, readErasureObject, writeErasureObject } from '../erasure/index.ts';
import { eachErasureObject } from '../erasure/list.ts';
import { locateErasureObject } from '../erasure/locate.ts';
import { decodeCrc32c } from '../transfer/crc32c.ts';
import { inLanes } from '../transfer/lanes.ts';

const OBJECTS_AT_ONCE = 2; // each holds a stripe of up to 18 MiB in flight

export interface InErasureSet {
  readonly racks: readonly RackStore[];
  /** Key prefix of the checkpoint, ending with `/`. */
  readonly prefix: string;
  readonly signal: AbortSignal;
}
/** Told of each object that was found with less than its full margin, though it could be read. */
export interface WithDamage {
  readonly onDamage?: ((object: EndangeredObject) => Promise<void>) | undefined;
}
export interface DrainProgress {
  readonly files: number;
  readonly bytes: number;
  readonly doneFiles: number;
  readonly doneBytes: number;
}
export interface WithProgress {
  readonly onProgress?: (progress: DrainProgress) => void;
}

export interface MemberFile extends PackMember {
  readonly file: DescribedFile;
}
/** One erasure object of a checkpoint; its key is the prefix and its name. */
export type DrainedUnit = FileUnit | PackUnit;
export interface FileUnit {
  readonly kind: 'file';
  readonly name: string;
  readonly file: DrainedFile;
  readonly files: readonly [DrainedFile];
}
export interface PackUnit {
  readonly kind: 'pack';
  readonly name: string;
  readonly pack: Pack<MemberFile>;
  readonly files: readonly DrainedFile[];
}

export const memberOf = (file: DescribedFile): MemberFile => ({
  file,
  name: file.path,
  bytes: file.bytes,
  crc32c: decodeCrc32c(file.crc32c),
  modifiedAtMilliseconds: Date.parse(file.modifiedAt),
  mode: file.mode,
});

export const fileUnit = (file: DrainedFile): FileUnit => ({ kind: 'file', name: file.path, file, files: [file] });

export function packUnit(members: readonly MemberFile[]): PackUnit {
  const pack = packOf(members);
  return { kind: 'pack', name: packName(pack.id), pack, files: members.map(({ file }) => file) };
}

/** A pack's whole index follows from the record, and its name from the index. CorruptSource where the record's own name for it is another. */
export function unitsOf(record: DrainedRecord): DrainedUnit[] {
  if (record.formatVersion === 1) return record.files.map(fileUnit);
  const members: MemberFile[][] = record.packs.map(() => []);
  const units: DrainedUnit[] = [];
  for (const file of record.files) {
    if (file.pack === undefined) units.push(fileUnit(file));
    else members[file.pack]?.push(memberOf(file));
  }
  for (const [index, { name, bytes }] of record.packs.entries()) {
    const unit = packUnit(members[index] ?? []);
    if (unit.name !== name || unit.pack.bytes !== bytes) {
      throw new PenstockError('CorruptSource', `the record of checkpoint ${record.checkpointId} names the pack ${name}, but its files make ${unit.name}.`);
    }
    units.push(unit);
  }
  return units;
}

export async function readDrainedRecord({ racks, prefix, signal }: InErasureSet): Promise<DrainedRecord | undefined> {
  try {
    const { content } = await readErasureObject({ racks, key: `${prefix}${COMMIT_RECORD}`, signal });
    const parsed = parseInput(DrainedRecordSchema, JSON.parse((await buffer(content)).toString('utf8')));
    if (parsed.ok) return parsed.value;
    throw new PenstockError('CorruptSource', `the record of the checkpoint ${prefix} is not sound: ${formatIssues(parsed.issues)}.`, {
      nextStep: 'Where a newer version drained it, restore it with that one.',
    });
  } catch (error) {
    if (isType(error, 'NotFound')) return undefined;
    throw error;
  }
}

export async function demandDrainedRecord(request: InErasureSet): Promise<DrainedRecord> {
  const record = await readDrainedRecord(request);
  if (record) return record;
  throw new PenstockError('NotFound', `the erasure set holds no committed checkpoint ${request.prefix}`, {
    nextStep: 'List the allocation: it may still be draining.',
  });
}

/** The ids of those below the prefix, which ends with `/`, that have a record. */
export async function listDrained({ racks, prefix, signal }: InErasureSet): Promise<string[]> {
  const ids: string[] = [];
  for await (const key of eachErasureObject({ racks, prefix, signal })) {
    const [id = '', name, ...below] = key.slice(prefix.length).split('/');
    if (name === COMMIT_RECORD && below.length === 0) ids.push(id);
  }
  return ids;
}

/** The keys of all its objects; the record's is the last. */
export const keysOfDrained = (record: DrainedRecord, prefix: string): string[] => [...unitsOf(record).map(({ name }) => prefix + name), prefix + COMMIT_RECORD];

/** By names and lengths: every object of it can be read now, as far as the racks tell. Rot is what scrubs find. */
export async function isWholeByLength({ racks, prefix, signal }: InErasureSet, record: DrainedRecord): Promise<boolean> {
  for (const key of keysOfDrained(record, prefix)) {
    try {
      if ((await locateErasureObject({ racks, key, signal })).margin < 0) return false;
    } catch (error) {
      if (isType(error, 'NotFound')) return false;
      throw error;
    }
  }
  return true;
}

/** What makes it a checkpoint; only after all that it names is committed. Conflict where another record is there. */
export async function writeDrainedRecord({ racks, prefix, signal }: InErasureSet, record: DrainedRecord): Promise<void> {
  const body = Buffer.from(JSON.stringify(record));
  await writeErasureObject({ racks, key: `${prefix}${COMMIT_RECORD}`, content: Readable.from([body]), bytes: body.length, writeId: newWriteId(), signal });
}

/**
 * Works on a few objects at a time, and tells in files what has been done. The first failure calls the others off; it is thrown when nothing of them goes on any more.
 * @param work with the signal that calls it off in place of the request's
 */
export async function eachUnit<Request extends WithProgress & { readonly signal: AbortSignal }>(
  units: readonly DrainedUnit[],
  request: Request,
  work: (unit: DrainedUnit, request: Request, onBytes: (bytes: number) => void) => Promise<unknown>,
): Promise<void> {
  const { onProgress, signal } = request;
  const ending = new AbortController();
  const called = { ...request, signal: AbortSignal.any([signal, ending.signal]) };
  const bytesOf = ({ files }: DrainedUnit) => files.reduce((sum, { bytes }) => sum + bytes, 0);
  const total = { files: units.reduce((sum, { files }) => sum + files.length, 0), bytes: units.reduce((sum, unit) => sum + bytesOf(unit), 0) };
  let doneFiles = 0;
  let doneBytes = 0;
  const underWay = new Map<string, number>();
  const tell = () => onProgress?.({ ...total, doneFiles, doneBytes: doneBytes + [...underWay.values()].reduce((sum, each) => sum + each, 0) });
  await inLanes(units, OBJECTS_AT_ONCE, async (unit) => {
    signal.throwIfAborted();
    const unitBytes = bytesOf(unit);
    const worked = work(unit, called, (bytes) => {
      // A pack is a little longer than its files.
      underWay.set(unit.name, Math.min(bytes, unitBytes));
      tell();
    });
    await worked.catch((error: unknown) => {
      ending.abort(error);
      throw error;
    });
    underWay.delete(unit.name);
    doneFiles += unit.files.length;
    doneBytes += unitBytes;
    tell();
  });
}
