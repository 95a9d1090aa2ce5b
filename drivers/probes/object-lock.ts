/**
 * Object Lock, by its effect: an object held for some seconds cannot be deleted, freed earlier or overwritten away, can be held longer, and is free afterwards. What a store
 * acknowledges proves nothing; each step looks at the object again.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { DeleteObjectCommand, GetObjectCommand, PutObjectCommand, PutObjectRetentionCommand } from '@aws-sdk/client-s3';
import type { LockMode } from '../../model/retention-policy.ts';
import { createProber, expect, type ProbeResult, refusalOf } from './probe.ts';
import { isRefusedByStore, removeEveryVersion, type S3Target, s3Answer } from './s3-target.ts';

/** Long enough for the probes in between on a slow store, short enough to wait for. */
const HELD_MS = 5000;
const EXTENDED_BY_MS = 2000;
/** Stores keep whole seconds. */
const ROUNDING_MS = 1500;
const BODY = Buffer.from('held\n');

/** What the doctor tries. Takes as long as the object is held. */
export async function probeObjectLock(target: S3Target, mode: LockMode): Promise<readonly ProbeResult[]> {
  const { results, endMs } = await probeWhileHeld(target, mode);
  const prober = createProber(target.store.name);
  await prober.needed('Object Lock: free after expiry', async () => {
    const versions = (await target.store.evidence?.versions(target.bucket, keyIn(target))) ?? [];
    expect(versions.length > 0, 'not tried: no object could be locked');
    await delay(Math.max(0, endMs - Date.now()) + ROUNDING_MS);
    for (const { versionId } of versions) await target.client.send(new DeleteObjectCommand({ ...name(target), VersionId: versionId }));
    return 'the version could be deleted then';
  });
  await removeEveryVersion(target).catch(() => undefined);
  return [...results, ...prober.results];
}

/** All that can be tried at once; what was locked stays for some seconds. */
export async function probeWhileHeld(target: S3Target, mode: LockMode): Promise<{ readonly results: readonly ProbeResult[]; readonly endMs: number }> {
  const { store, client, bucket } = target;
  const prober = createProber(store.name);
  const key = keyIn(target);
  const heldMs = Math.ceil((Date.now() + HELD_MS) / 1000) * 1000;
  const endMs = heldMs + EXTENDED_BY_MS;
  let versionId: string | undefined;

  await prober.needed('Object Lock: retention is kept', async () => {
    const written = await store.writeBytes(bucket, key, BODY, { retention: { mode, retainUntil: new Date(heldMs).toISOString() } });
    versionId = written.versionId;
    expect(versionId !== undefined, 'the object got no version id, so it can be replaced');
    const held = await store.retention(bucket, key, versionId);
    return `read back as ${held?.mode ?? 'none'} until ${held?.retainUntil ?? 'never'}`;
  });
  const version = () => {
    if (versionId === undefined) throw new Error('not tried: no object could be locked');
    return { Bucket: bucket, Key: key, VersionId: versionId };
  };
  const demandThere = async (otherwise: string): Promise<void> => {
    const { Body } = await client.send(new GetObjectCommand(version())).catch(() => ({ Body: undefined }));
    expect(BODY.equals(Buffer.from((await Body?.transformToByteArray()) ?? [])), otherwise);
  };

  await prober.needed('Object Lock: extension has effect', async () => {
    await store.retain(bucket, key, { mode, retainUntil: new Date(endMs).toISOString() }, version().VersionId);
    return 'read back';
  });
  await prober.needed('Object Lock: deletion refused', async () => {
    const isBypassed = mode === 'COMPLIANCE';
    const request = new DeleteObjectCommand({ ...version(), ...(isBypassed ? { BypassGovernanceRetention: true } : {}) });
    const error = await refusalOf(() => client.send(request), 'a locked version could be deleted');
    expect(isRefusedByStore(error), `not refused, but failed: ${s3Answer(error)}`);
    await demandThere('refused, and deleted all the same');
    return `${s3Answer(error)}${isBypassed ? ', also with the governance bypass asked for' : ''}, still there`;
  });
  await prober.needed('Object Lock: shortening refused', async () => {
    const shorter = { Mode: mode, RetainUntilDate: new Date(heldMs - 3000) } as const;
    const error = await refusalOf(() => client.send(new PutObjectRetentionCommand({ ...version(), Retention: shorter })), 'the retention could be shortened');
    expect(isRefusedByStore(error), `not refused, but failed: ${s3Answer(error)}`);
    const held = await store.retention(bucket, key, versionId);
    expect(held !== undefined && Date.parse(held.retainUntil) >= endMs, 'refused, and shortened all the same');
    return `${s3Answer(error)}, still held`;
  });
  await prober.needed('Object Lock: overwriting keeps it', async () => {
    version();
    await client.send(new PutObjectCommand({ ...name(target), Body: 'other\n' })).catch(() => undefined); // a store may refuse it, too
    await demandThere('another object of its name took its place');
    return 'the locked version is still read';
  });
  return { results: prober.results, endMs };
}

const keyIn = ({ prefix }: S3Target): string => `${prefix}locked`;
const name = (target: S3Target) => ({ Bucket: target.bucket, Key: keyIn(target) });
