/** The log in its bucket, as the sequencer writes it: each object once, under COMPLIANCE, and never another content under its name. */
import type { ObjectStore } from '../../drivers/object-store/port.ts';
import { isType, PenstockError } from '../../model/errors.ts';
import type { Inbox } from './batch.ts';
import { filesInBucket, type LogFiles } from './layout.ts';
import type { Signer } from './note.ts';

export interface LockedLog {
  readonly store: ObjectStore;
  readonly bucket: string;
  readonly prefix: string;
  readonly origin: string;
  readonly inbox: Inbox;
  /** In the same bucket as the inbox: where batches that are none are put aside, and where the witness keeps what it signed. */
  readonly refusedPrefix: string;
  readonly witnessPrefix: string;
  /** The key that signs, behind it the one before where it is being changed. */
  readonly logKeys: readonly [Signer, ...Signer[]];
  readonly witnessKeys: readonly [Signer, ...Signer[]];
  readonly retentionYears: number;
  readonly checkpointSeconds: number;
}

export const filesOf = ({ store, bucket, prefix }: Pick<LockedLog, 'store' | 'bucket' | 'prefix'>): LogFiles => filesInBucket(store, bucket, prefix);

/** So many calendar years after it was sealed. */
export function retainUntil(sealedAt: string, years: number): string {
  const end = new Date(sealedAt);
  end.setUTCFullYear(end.getUTCFullYear() + years);
  return end.toISOString();
}

/** @throws PenstockError Conflict where the name is taken, be it by the same content */
export async function writeOnce(log: LockedLog, name: string, body: Buffer, sealedAt: string): Promise<void> {
  await log.store.writeBytes(log.bucket, `${log.prefix}${name}`, body, {
    ifNoneMatch: true,
    retention: { mode: 'COMPLIANCE', retainUntil: retainUntil(sealedAt, log.retentionYears) },
  });
}

/** For what follows from a segment alone: equal content is success. @throws PenstockError Conflict where other content is there, which nobody who keeps to the format wrote */
export async function writeDerived(log: LockedLog, name: string, body: Buffer, sealedAt: string): Promise<void> {
  try {
    await writeOnce(log, name, body, sealedAt);
  } catch (error) {
    if (!isType(error, 'Conflict')) throw error;
    const found = await filesOf(log).read(name);
    if (found?.equals(body)) return;
    throw tampered(log, name, 'has other content than its segment');
  }
}

export const tampered = (log: LockedLog, name: string, what: string): PenstockError =>
  new PenstockError('Conflict', `s3://${log.bucket}/${log.prefix}${name} ${what}.`, {
    store: log.store.name,
    nextStep: 'No further checkpoint is made. Run `penstock audit verify`; operations go on, and their records wait in the inbox.',
  });
