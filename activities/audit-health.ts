/** How the audit log fares: its keys, its lock, and how old its last checkpoint and its oldest waiting batch are. */
import { listBatches, parseBatchName } from '../datapath/audit/batch.ts';
import { lastOf, names } from '../datapath/audit/layout.ts';
import { parseCheckpoint, parseNote, signedBy } from '../datapath/audit/note.ts';
import type { Stores } from '../drivers/open-site.ts';
import { auditFiles, inboxOf, openSigners, requireAudit } from './audit-log.ts';

export interface AuditKeys {
  readonly log: string;
  readonly witness: string;
}
export interface AuditProgress {
  readonly leaves: number;
  /** When the witness signed the last checkpoint; absent where it is not signed by the site file's witness. */
  readonly witnessedAt?: string;
  readonly batchesWaiting: number;
  /** Seconds that the oldest of them has waited. */
  readonly waitedSeconds: number;
}

/** @throws PenstockError InvalidInput where a key cannot be read, or both are the same */
export async function auditKeys({ site }: Stores): Promise<AuditKeys> {
  const { logKeys, witnessKeys } = await openSigners(site.name, requireAudit(site.audit));
  return { log: logKeys[0].verifier, witness: witnessKeys[0].verifier };
}

/** Undefined where nothing has been sealed yet. */
export async function auditProgress(stores: Stores, nowMs: number): Promise<AuditProgress | undefined> {
  const files = auditFiles(stores);
  const last = await lastOf(files, names.checkpoint);
  const body = last === undefined ? undefined : await files.read(names.checkpoint(last));
  if (!body) return undefined;
  const note = parseNote(body.toString('utf8'));
  const atMs = signedBy(note, (await auditKeys(stores)).witness)?.atMs;
  const batches = (await listBatches(inboxOf(stores))).map(parseBatchName).filter((batch) => batch !== undefined);
  const oldestMs = Math.min(nowMs, ...batches.map((batch) => batch.atMs));
  return {
    leaves: parseCheckpoint(note.text).size,
    ...(atMs === undefined ? {} : { witnessedAt: new Date(atMs).toISOString() }),
    batchesWaiting: batches.length,
    waitedSeconds: Math.round((nowMs - oldestMs) / 1000),
  };
}
