/** What people ask of the audit log: entries, whether it is whole, and a part of it to take away. */
import { createReadStream, createWriteStream } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createZstdCompress, createZstdDecompress } from 'node:zlib';
import { type OpenedBundle, openBundle, packBundle } from '../datapath/audit/bundle.ts';
import type { Finding, Verification } from '../datapath/audit/finding.ts';
import { type LogFiles, originOf } from '../datapath/audit/layout.ts';
import { parseCheckpoint, parseNote } from '../datapath/audit/note.ts';
import { type AuditQuery, queryLog } from '../datapath/audit/query.ts';
import { readIndex } from '../datapath/audit/read-index.ts';
import { type VerifyOptions, verifyLog } from '../datapath/audit/verify.ts';
import { signedNotes } from '../datapath/audit/witness.ts';
import type { Stores } from '../drivers/open-site.ts';
import type { Operation } from '../model/audit.ts';
import { messageOf, PenstockError } from '../model/errors.ts';
import { auditFiles, openSigners, requireAudit, witnessPrefix } from './audit-log.ts';
import { readSpoolNotices, spoolNoticeText } from './audit-spool.ts';

export type { Finding, Verification } from '../datapath/audit/finding.ts';
export type { AuditQuery } from '../datapath/audit/query.ts';

/** @param tell what of the log could not be read */
export const queryAudit = (stores: Stores, query: AuditQuery, tell?: (what: string) => void): AsyncGenerator<Operation, void> =>
  queryLog(auditFiles(stores), query, tell);

/** What machines have done and say that they still keep: no query can find it. A subject each. */
export async function notOnRecord(stores: Stores): Promise<string[]> {
  return (await readSpoolNotices(stores, requireAudit(stores.site.audit))).map(spoolNoticeText);
}

/** Also held to what the witness keeps, which lies in another store, and to what machines say that they still have. */
export async function verifyAudit(stores: Stores, options: VerifyOptions): Promise<Verification> {
  const kept = await signedNotes({ store: stores.warm, prefix: witnessPrefix(stores.site.name) });
  const verified = await verifyLog(auditFiles(stores), { ...options, kept: [...kept, ...(options.kept ?? [])] });
  const unwitnessed = 'the witness keeps nothing of what it signed: whether the end of the log is missing cannot be told';
  const findings: Finding[] = [
    ...(kept.length > 0 ? [] : [{ kind: 'not-witnessed' as const, what: unwitnessed }]),
    ...(await notOnRecord(stores)).map((kept) => ({ kind: 'spool-open' as const, what: `${kept} is not on record` })),
  ];
  return { ...verified, findings: [...verified.findings, ...findings] };
}

/** Of a copy of the log, as a directory laid out like the bucket below its prefix, or a bundle. @throws PenstockError InvalidInput where it is neither */
export async function verifyCopy(path: string, options: VerifyOptions): Promise<Verification> {
  try {
    if ((await stat(path)).isDirectory()) return await verifyLog(filesInDirectory(path), options);
    const bundle = await readBundle(path);
    const verified = await verifyLog(bundle.files, options);
    const { sealedBy } = bundle;
    if (sealedBy !== undefined) return { ...verified, sealedBy };
    return { ...verified, findings: [...verified.findings, { kind: 'checkpoint-forged', what: 'the bundle is not as it was sealed' }] };
  } catch (error) {
    if (error instanceof PenstockError) throw error;
    throw new PenstockError('InvalidInput', `${path} is no copy of an audit log: ${messageOf(error)}.`, {
      nextStep: 'Give a directory with segments/, leaves/, index/ and checkpoints/, or a file that `penstock audit export` wrote.',
      cause: error,
    });
  }
}

/** A checkpoint that was kept elsewhere. @throws PenstockError InvalidInput where the file holds none */
export async function readKept(path: string): Promise<string> {
  try {
    const text = await readFile(path, 'utf8');
    parseCheckpoint(parseNote(text).text);
    return text;
  } catch (error) {
    throw new PenstockError('InvalidInput', `${path} is no signed checkpoint: ${messageOf(error)}.`, { cause: error });
  }
}

async function readBundle(path: string): Promise<OpenedBundle> {
  const input = createReadStream(path).pipe(createZstdDecompress());
  return await openBundle(createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY }));
}

function filesInDirectory(root: string): LogFiles {
  const read = (name: string) => readFile(join(root, name)).catch(() => undefined);
  return {
    read,
    has: async (name) => (await read(name)) !== undefined,
    async *names() {
      for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
        if (entry.isFile()) yield relative(root, join(entry.parentPath, entry.name)).split(sep).join('/');
      }
    },
  };
}

export interface AuditRange {
  /** ISO instants; the whole log where absent. */
  readonly since?: string;
  readonly until?: string;
}
export interface ExportedBundle {
  readonly firstSegment: number;
  readonly segments: number;
  readonly leaves: number;
}

/** Whole segments, so a little more than was asked for. @throws PenstockError NotFound where the log has nothing of that time; InvalidInput where the file cannot be written */
export async function exportAudit(stores: Stores, { since, until }: AuditRange, path: string): Promise<ExportedBundle> {
  const files = auditFiles(stores);
  const records = (await readIndex(files)).filter(({ sealedAt, from }) => {
    const isLate = since !== undefined && Date.parse(sealedAt) < Date.parse(since);
    return !isLate && (until === undefined || Date.parse(from ?? sealedAt) < Date.parse(until));
  });
  const [first, last] = [records[0], records.at(-1)];
  if (!first || !last) throw new PenstockError('NotFound', 'The audit log has no segment of that time.', { nextStep: 'Ask for a longer one.' });
  const { name } = stores.site;
  const { logKeys } = await openSigners(name, requireAudit(stores.site.audit));
  const lines = packBundle(files, { first: first.number, last: last.number }, originOf(name), logKeys[0], Date.now());
  await pipeline(Readable.from(lines), createZstdCompress(), createWriteStream(path, { flags: 'wx', mode: 0o600 }));
  return { firstSegment: first.number, segments: last.number - first.number + 1, leaves: last.firstLeaf + last.leaves - first.firstLeaf };
}
