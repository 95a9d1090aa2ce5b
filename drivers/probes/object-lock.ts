/** Object Lock COMPLIANCE, by its effect: an object held for some seconds cannot be deleted or freed earlier, and can be afterwards. */
import { setTimeout as delay } from 'node:timers/promises';
import { DeleteObjectCommand, PutObjectRetentionCommand } from '@aws-sdk/client-s3';
import { createProber, expect, type ProbeResult, refusalOf } from './probe.ts';
import { isRefusedByStore, removeEveryVersion, type S3Target, s3Answer } from './s3-target.ts';

/** Long enough for the probes in between on a slow store, short enough to wait for. */
const HELD_MS = 6000;
/** Stores keep whole seconds. */
const ROUNDING_MS = 1500;

export async function probeObjectLock(target: S3Target): Promise<readonly ProbeResult[]> {
  const { store, client, bucket } = target;
  const prober = createProber(store.name);
  const key = `${target.prefix}locked`;
  const body = Buffer.from('held\n');
  const until = Math.ceil((Date.now() + HELD_MS) / 1000) * 1000;
  let versionId: string | undefined;

  await prober.needed('Object Lock: retention is kept', async () => {
    const written = await store.writeBytes(bucket, key, body, { retention: { mode: 'COMPLIANCE', retainUntil: new Date(until).toISOString() } });
    versionId = written.versionId;
    expect(versionId !== undefined, 'the object got no version id, so it can be replaced');
    const held = await store.retention(bucket, key, versionId);
    return `read back as ${held?.mode ?? 'none'} until ${held?.retainUntil ?? 'never'}`;
  });
  const version = () => {
    if (versionId === undefined) throw new Error('not tried: no object could be locked');
    return { Bucket: bucket, Key: key, VersionId: versionId };
  };

  await prober.needed('Object Lock: deletion refused', async () => {
    const error = await refusalOf(
      () => client.send(new DeleteObjectCommand({ ...version(), BypassGovernanceRetention: true })),
      'a locked version could be deleted',
    );
    expect(isRefusedByStore(error), `not refused, but failed: ${s3Answer(error)}`);
    return `${s3Answer(error)}, also with the governance bypass asked for`;
  });
  await prober.needed('Object Lock: shortening refused', async () => {
    const shorter = { Mode: 'COMPLIANCE', RetainUntilDate: new Date(until - 3000) } as const;
    const error = await refusalOf(() => client.send(new PutObjectRetentionCommand({ ...version(), Retention: shorter })), 'the retention could be shortened');
    expect(isRefusedByStore(error), `not refused, but failed: ${s3Answer(error)}`);
    const held = await store.retention(bucket, key, versionId);
    expect(held !== undefined && Date.parse(held.retainUntil) >= until, 'refused, and shortened all the same');
    return `${s3Answer(error)}, still held`;
  });
  await prober.needed('Object Lock: free after expiry', async () => {
    const gone = version();
    await delay(Math.max(0, until - Date.now()) + ROUNDING_MS);
    await client.send(new DeleteObjectCommand(gone));
    return 'the version could be deleted then';
  });
  await removeEveryVersion(target).catch(() => undefined);
  return prober.results;
}
