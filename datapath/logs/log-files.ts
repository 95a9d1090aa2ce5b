/**
 * A node's log as the files it is written to: `stdout.log`, and what rotation made of it before. Reads on from a position, whatever happened to the files
 * meanwhile: renamed (the rest of the old one, then each newer one, then the new one), copied and cut (the rest is looked for in the copy), or cut.
 */
import type { FileFacts, FileStore, OpenFile } from '../../drivers/file-store/port.ts';
import { isType } from '../../model/errors.ts';
import type { LogBreak, LogSource, LogStream } from '../../model/log-metadata.ts';
import { crc32cOf } from '../transfer/crc32c.ts';
import { tailOf } from './chunk-record.ts';

export interface LogFiles {
  readonly store: FileStore;
  /** Holds `stdout.log` and `stderr.log`. */
  readonly directory: string;
  readonly stream: LogStream;
}

export type LogPosition = Omit<LogSource, 'endsLine'>;

export type Step =
  | { readonly kind: 'bytes'; readonly bytes: Buffer; readonly position: LogPosition }
  /** The log goes on at the begin of another file. `how` is absent where it has only begun. `mayGrow`: whoever writes it may still hold the renamed file before it. */
  | { readonly kind: 'next'; readonly position: LogPosition; readonly how?: LogBreak; readonly mayGrow?: boolean }
  /** Nothing new. Why there is no log, where there is none. */
  | { readonly kind: 'idle'; readonly reason?: string };

/** More files than any rotation keeps. */
const MAX_ROTATED = 1_000;
/** `stdout.log.1`, `stdout.log-20260304`, `stdout.log.2026-03-04T05:06`; not what was compressed. */
const ROTATED = /^[.-](\d[\d.:T_-]*)$/;
const NO_TAIL = { tailBytes: 0, tailCrc32c: crc32cOf(Buffer.alloc(0)) };

/** One step from a position, of at most so many bytes. What a job did to its directory is an answer; what its storage does is thrown. */
export async function readOn(files: LogFiles, position: LogPosition | undefined, limitBytes: number): Promise<Step> {
  const current = await openLog(files, `${files.stream}.log`);
  try {
    if (position && current.file && (await goesOn(current.file, position))) return await readFrom(current.file, position, limitBytes);
    const step = await readBehind(files, current.file, position, limitBytes);
    return step.kind === 'idle' && current.reason !== undefined ? { ...step, reason: current.reason } : step;
  } catch (error) {
    // It was cut between two looks at it: the next look sees that.
    if (isType(error, 'SourceChanged')) return { kind: 'idle' };
    throw error;
  } finally {
    await current.file?.close();
  }
}

/** The file that was read is no longer the log: its rest first, then what is newer, then the log of today. */
async function readBehind(files: LogFiles, current: OpenFile | undefined, position: LogPosition | undefined, limitBytes: number): Promise<Step> {
  const rotated = await rotatedFiles(files);
  if (!position) return nextOf(await openFirst(files, rotated, current));
  const own = await findOwn(files, rotated, position);
  if (own) {
    try {
      if (own.file.facts.bytes > position.offset) return await readFrom(own.file, position, limitBytes);
    } finally {
      await own.file.close();
    }
    const mayGrow = own.index === rotated.length - 1;
    return nextOf(await openFirst(files, rotated.slice(own.index + 1), current), { how: 'rotation', mayGrow });
  }
  const unseen = rotated.filter((each) => isNewer(each, position));
  return nextOf(await openFirst(files, unseen, current), { how: current && idOf(current) === position.fileId ? 'truncation' : 'loss' });
}

function nextOf(first: LogPosition | undefined, facts: { readonly how?: LogBreak; readonly mayGrow?: boolean } = {}): Step {
  return first ? { kind: 'next', position: first, ...facts } : { kind: 'idle' };
}

const idOf = (file: OpenFile): string => file.fileId ?? '';

/** Position at the begin of the oldest of these, else of the log of today. */
async function openFirst(files: LogFiles, rotated: readonly FileFacts[], current: OpenFile | undefined): Promise<LogPosition | undefined> {
  for (const { path } of rotated) {
    const { file } = await openLog(files, nameOf(files, path));
    if (!file) continue;
    await file.close();
    return beginOf(file);
  }
  return current && beginOf(current);
}

const beginOf = (file: OpenFile): LogPosition => ({ fileId: idOf(file), offset: 0, modifiedAt: file.facts.modifiedAt, ...NO_TAIL });

/** By its id, as a renamed file keeps it; else a copy, which begins with what was read and is not older. Open where found. */
async function findOwn(
  files: LogFiles,
  rotated: readonly FileFacts[],
  position: LogPosition,
): Promise<{ readonly file: OpenFile; readonly index: number } | undefined> {
  const matches = async (isOwn: (file: OpenFile) => boolean) => {
    for (const [index, { path }] of rotated.entries()) {
      const { file } = await openLog(files, nameOf(files, path));
      if (!file) continue;
      let isFound = false;
      try {
        isFound = isOwn(file) && (await hasTail(file, position));
      } finally {
        if (!isFound) await file.close();
      }
      if (isFound) return { file, index };
    }
    return undefined;
  };
  const renamed = await matches((file) => idOf(file) === position.fileId);
  if (renamed || position.tailBytes === 0) return renamed;
  return matches((file) => !isNewer(position, file.facts));
}

/** Instants have three digits of a second or nine: without the final letter they are in order. */
const isNewer = (one: { readonly modifiedAt: string }, other: { readonly modifiedAt: string }): boolean =>
  one.modifiedAt.replace('Z', '') > other.modifiedAt.replace('Z', '');

const goesOn = async (file: OpenFile, position: LogPosition): Promise<boolean> =>
  (position.fileId === '' || idOf(file) === position.fileId) && (await hasTail(file, position));

/** Whether the bytes before the position are those that were read. */
async function hasTail(file: OpenFile, { offset, tailBytes, tailCrc32c }: LogPosition): Promise<boolean> {
  if (file.facts.bytes < offset) return false;
  if (tailBytes === 0) return true;
  const tail = Buffer.allocUnsafe(tailBytes);
  await file.read(tail, offset - tailBytes);
  return crc32cOf(tail) === tailCrc32c;
}

async function readFrom(file: OpenFile, position: LogPosition, limitBytes: number): Promise<Step> {
  const { bytes: size, modifiedAt } = file.facts;
  const count = Math.min(size - position.offset, limitBytes);
  if (count === 0) return { kind: 'idle' };
  // With what was before it, for the tail of the next position.
  const read = Buffer.allocUnsafe(position.tailBytes + count);
  await file.read(read, position.offset - position.tailBytes);
  const next = { fileId: idOf(file), offset: position.offset + count, modifiedAt, ...tailOf(read) };
  return { kind: 'bytes', bytes: read.subarray(position.tailBytes), position: next };
}

/** A job owns this directory: it may have removed its log or put a link in its place, which must not hold up the rest. */
async function openLog({ store, directory }: LogFiles, name: string): Promise<{ readonly file?: OpenFile; readonly reason?: string }> {
  try {
    return { file: await store.openFile(`${directory}/${name}`) };
  } catch (error) {
    if (isType(error, 'NotFound', 'Denied', 'Conflict')) return { reason: error.message };
    throw error;
  }
}

const nameOf = ({ directory }: LogFiles, path: string): string => path.slice(directory.length + 1);

/** Oldest first. Numbers count up with age, dates with time. */
async function rotatedFiles(files: LogFiles): Promise<readonly FileFacts[]> {
  const name = `${files.directory}/${files.stream}.log`;
  const { entries } = await files.store.list(files.directory, { after: name, limit: MAX_ROTATED });
  return entries
    .flatMap((facts) => {
      const suffix = facts.path.startsWith(name) ? ROTATED.exec(facts.path.slice(name.length))?.[1] : undefined;
      return suffix === undefined ? [] : [{ facts, suffix }];
    })
    .sort((one, other) => byAge(one.suffix, other.suffix))
    .map(({ facts }) => facts);
}

const isCount = (suffix: string): boolean => /^\d{1,4}$/.test(suffix);

function byAge(one: string, other: string): number {
  if (isCount(one) && isCount(other)) return Number(other) - Number(one);
  // A date in the name is older than a count: who dates its logs does not count them.
  if (isCount(one) !== isCount(other)) return isCount(one) ? 1 : -1;
  return one < other ? -1 : Number(one > other);
}
