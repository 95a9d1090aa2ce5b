/** A drained checkpoint's way back, whole or some of its files; of those in packs, only the cells they lie in are read then. */
import { Readable } from 'node:stream';
import pLimit from 'p-limit';
import type { FileStore, PublishScope } from '../../drivers/file-store/port.ts';
import type { DrainedFile, DrainedRecord } from '../../model/drained-record.ts';
import { PenstockError } from '../../model/errors.ts';
import { endangered, type Finding, findErasureObject, isRepairDue, openPack, openPackObject, readErasureObject, splitPack } from '../erasure/index.ts';
import { checkContent } from '../transfer/crc32c.ts';
import type { RateLimiter } from '../transfer/rate-limiter.ts';
import {
  type DrainedUnit,
  demandDrainedRecord,
  eachUnit,
  type FileUnit,
  type InErasureSet,
  type PackUnit,
  unitsOf,
  type WithDamage,
  type WithProgress,
} from './drained.ts';

export interface RestoreFiles extends InErasureSet, WithProgress, WithDamage {
  readonly target: FileStore;
  readonly directory: string;
  readonly attempt: string;
  /** Paths within the checkpoint; all where undefined. */
  readonly only?: readonly string[] | undefined;
  /** What is read from the racks has to pass it; no limit where absent. */
  readonly limiter?: RateLimiter | undefined;
}

export interface RestoredFiles {
  readonly files: number;
  readonly bytes: number;
  /** Racks whose shards were lost or rotten. */
  readonly degradedRacks: string[];
  /** Racks that others were faster than, or that answered again later: of their shards nothing is known to be wrong. */
  readonly lateRacks: string[];
}

/** Byte for byte what was committed. NotFound, before anything is written, where the checkpoint has no such file. */
export async function restoreFiles(request: RestoreFiles): Promise<RestoredFiles> {
  const record = await demandDrainedRecord(request);
  const wanted = wantedFiles(record, request.only);
  const [degraded, late] = [new Set<string>(), new Set<string>()];
  const units = unitsOf(record).flatMap((unit) => chosen(unit, wanted) ?? []);
  await eachUnit(units, request, async (unit, called, onBytes) => {
    const found = unit.kind === 'file' ? await restoreFile(unit, called) : await restorePack(unit, called, onBytes);
    for (const finding of found) (isRepairDue(finding) ? degraded : late).add(finding.rack);
    if (found.some(isRepairDue)) await reportDamage(`${request.prefix}${unit.name}`, found, called);
  });
  const files = units.flatMap((unit) => unit.files);
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  return { files: files.length, bytes, degradedRacks: [...degraded].sort(), lateRacks: [...late].filter((rack) => !degraded.has(rack)).sort() };
}

async function reportDamage(key: string, found: readonly Finding[], { racks, signal, onDamage }: RestoreFiles): Promise<void> {
  const manifest = onDamage && (await findErasureObject({ racks, key, signal }));
  if (manifest)
    await onDamage(
      endangered(
        manifest,
        found.map(({ index, kind }) => ({ index, state: kind })),
      ),
    );
}

function wantedFiles({ checkpointId, files }: DrainedRecord, only: readonly string[] | undefined): ReadonlySet<string> {
  const all = new Set(files.map(({ path }) => path));
  if (!only) return all;
  const unknown = only.find((path) => !all.has(path));
  if (unknown === undefined) return new Set(only);
  throw new PenstockError('NotFound', `checkpoint ${checkpointId} has no file ${JSON.stringify(unknown)}.`, {
    nextStep: 'Give a path as it was below the checkpoint when it was committed.',
  });
}

/** The unit less the files that are not wanted. */
function chosen(unit: DrainedUnit, wanted: ReadonlySet<string>): DrainedUnit | undefined {
  const files = unit.files.filter(({ path }) => wanted.has(path));
  if (files.length === 0) return undefined;
  return unit.kind === 'file' ? unit : { ...unit, files };
}

async function restoreFile({ name, file }: FileUnit, request: RestoreFiles): Promise<readonly Finding[]> {
  const { racks, prefix, target, directory, signal } = request;
  const { content, findings } = await readErasureObject({ racks, key: `${prefix}${name}`, signal });
  const checked = checkContent(paced(content, request), { subject: file.path, store: 'erasure set', bytes: file.bytes, crc32c: file.crc32c });
  await target.write(`${directory}/${file.path}`, checked.content, writeOptions(file, request));
  return findings;
}

/** Ends with its content, and its content with it. */
function paced(content: Readable, { limiter, signal }: RestoreFiles): Readable {
  if (!limiter) return content;
  return Readable.from(
    (async function* () {
      for await (const piece of content) {
        await limiter.take(piece.length, signal);
        yield piece;
      }
    })(),
    { objectMode: false },
  );
}

function writeOptions({ modifiedAt }: DrainedFile, { attempt, signal }: RestoreFiles, scope?: PublishScope) {
  return { attempt, replace: true, signal, ...(modifiedAt === undefined ? {} : { modifiedAt }), ...(scope ? { scope } : {}) };
}

/** Directories are synced once a pack, not once a file. */
async function restorePack(unit: PackUnit, request: RestoreFiles, onBytes: (bytes: number) => void): Promise<readonly Finding[]> {
  const scope = request.target.createScope();
  try {
    const found = unit.files.length === unit.pack.members.length ? await restoreAll(unit, request, scope, onBytes) : await restoreSome(unit, request, scope);
    await scope.flush();
    return found;
  } finally {
    await scope.close();
  }
}

/** In memory on their way, beside the one member that goes beyond it. */
const WINDOW_BYTES = 16 * 1024 * 1024;
const WRITES_AT_ONCE = 8;

async function restoreAll({ name, pack }: PackUnit, request: RestoreFiles, scope: PublishScope, onBytes: (bytes: number) => void): Promise<readonly Finding[]> {
  const { racks, prefix, target, directory, signal } = request;
  const { content, findings } = await readErasureObject({ racks, key: `${prefix}${name}`, signal });
  const limit = pLimit(WRITES_AT_ONCE);
  let writes: Promise<unknown>[] = [];
  let pendingBytes = 0;
  let doneBytes = 0;
  const settle = async () => {
    const failed = (await Promise.allSettled(writes)).find((written) => written.status === 'rejected');
    if (failed) throw failed.reason;
    doneBytes += pendingBytes;
    onBytes(doneBytes);
    writes = [];
    pendingBytes = 0;
  };
  try {
    for await (const { member, content: bytes } of splitPack(paced(content, request), pack)) {
      const written = limit(() => target.write(`${directory}/${member.name}`, bytes, writeOptions(member.file, request, scope)));
      // Its failure is reported when the window is settled.
      written.catch(() => undefined);
      writes.push(written);
      pendingBytes += bytes.length;
      if (pendingBytes >= WINDOW_BYTES || writes.length >= WINDOW_FILES) await settle();
    }
    await settle();
  } finally {
    // Also where the pack cannot be read to its end: nothing is written behind the error.
    await Promise.allSettled(writes);
  }
  return findings;
}

/** Also empty files take memory on their way. */
const WINDOW_FILES = 1024;

async function restoreSome({ name, files }: PackUnit, request: RestoreFiles, scope: PublishScope): Promise<readonly Finding[]> {
  const { racks, prefix, target, directory, signal } = request;
  const object = await openPackObject({ racks, key: `${prefix}${name}`, signal });
  const pack = await openPack(object);
  for (const file of files) {
    // Held against the record too: it, and not the pack, says what the checkpoint is.
    const { content } = checkContent(paced(await pack.read(file.path), request), {
      subject: file.path,
      store: 'erasure set',
      bytes: file.bytes,
      crc32c: file.crc32c,
    });
    await target.write(`${directory}/${file.path}`, content, writeOptions(file, request, scope));
  }
  return object.findings();
}
