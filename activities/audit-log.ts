/** The site's audit log, opened: what workers record into, what seals it, and what is asked of it. */
import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { type Inbox, inboxPrefix, refusedPrefix } from '../datapath/audit/batch.ts';
import { filesInBucket, type LogFiles, logPrefix, originOf } from '../datapath/audit/layout.ts';
import type { LockedLog } from '../datapath/audit/locked-log.ts';
import { type KeyRole, openSigner, publicKeyOf, type Signer } from '../datapath/audit/note.ts';
import { createRecorder } from '../datapath/audit/recorder.ts';
import type { Stores } from '../drivers/open-site.ts';
import { resolveSecret } from '../drivers/site-file.ts';
import type { OperationFacts } from '../model/audit.ts';
import type { AuditSettings } from '../model/audit-settings.ts';
import { PenstockError } from '../model/errors.ts';
import { SYSTEM_BUCKET } from '../model/location.ts';
import { onRecord } from './audit-entry.ts';

export const inboxOf = ({ site, warm }: Stores): Inbox => ({ store: warm, prefix: inboxPrefix(site.name) });
export const witnessPrefix = (site: string): string => `audit/${site}/witness/`;

/** For reading. @throws PenstockError PolicyRefused where the site keeps no audit log */
export function auditFiles({ site, cold }: Stores): LogFiles {
  return filesInBucket(cold, requireAudit(site.audit).bucket, logPrefix(site.name));
}

export function requireAudit(settings: AuditSettings | undefined): AuditSettings {
  if (settings) return settings;
  throw new PenstockError('PolicyRefused', 'The site file has no section audit, so no operation is on record.', {
    nextStep: 'Add one: docs/configuration.md says what stands in it.',
  });
}

/** For sealing, with its buckets in place. @throws PenstockError InvalidInput where a key cannot be read */
export async function openAuditLog(stores: Stores): Promise<LockedLog> {
  const { site, cold, warm } = stores;
  const settings = requireAudit(site.audit);
  const signers = await openSigners(site.name, settings);
  await warm.ensureBucket(SYSTEM_BUCKET);
  await cold.ensureBucket(settings.bucket, { objectLock: true });
  return {
    store: cold,
    bucket: settings.bucket,
    prefix: logPrefix(site.name),
    origin: originOf(site.name),
    inbox: inboxOf(stores),
    refusedPrefix: refusedPrefix(site.name),
    witnessPrefix: witnessPrefix(site.name),
    retentionYears: settings.retentionYears,
    checkpointSeconds: settings.checkpointSeconds,
    ...signers,
  };
}

/** @throws PenstockError InvalidInput naming the reference, or where log and witness have one key */
export async function openSigners(site: string, settings: AuditSettings): Promise<Pick<LockedLog, 'logKeys' | 'witnessKeys'>> {
  const open = async (role: KeyRole, reference: string, previous: string | undefined): Promise<[Signer, ...Signer[]]> => {
    const name = role === 'log' ? originOf(site) : `${originOf(site)}/witness`;
    const signer = async (each: string) => openSigner(await resolveSecret(each), name, role);
    return [await signer(reference), ...(previous === undefined ? [] : [await signer(previous)])];
  };
  const [logKeys, witnessKeys] = [
    await open('log', settings.key, settings.previousKey),
    await open('witness', settings.witnessKey, settings.previousWitnessKey),
  ];
  if (publicKeyOf(logKeys[0]) !== publicKeyOf(witnessKeys[0])) return { logKeys, witnessKeys };
  throw new PenstockError('InvalidInput', 'audit.witnessKey: found the key of the log; accepted: another Ed25519 private key.', {
    nextStep: 'Make one by `openssl genpkey -algorithm ed25519`: a witness with the same key witnesses nothing.',
  });
}

/** What a person does through the command line, who can wait for the log; where the site keeps none, just the work. */
export function recorded<T>(stores: Stores, user: string | undefined, facts: OperationFacts, work: () => Promise<T>): Promise<T> {
  if (!stores.site.audit) return work();
  const act = { ...facts, ...(user === undefined ? {} : { user }), actor: `penstock ${hostname()} ${process.pid}`, identity: [randomUUID()] };
  return onRecord(createRecorder(inboxOf(stores)), act, 'wait', work);
}
