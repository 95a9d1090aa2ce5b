/** The audit log as the site needs it: keys that can be read, a bucket that locks, and a sequencer that keeps up. */
import { setTimeout as delay } from 'node:timers/promises';
import { auditKeys, auditProgress } from '../../activities/audit-health.ts';
import { notOnRecord } from '../../activities/audit-reading.ts';
import { machineSpoolState } from '../../activities/audit-spool.ts';
import type { Stores } from '../../drivers/open-site.ts';
import { createProber, expect, type ProbeResult } from '../../drivers/probes/probe.ts';

/** Times of the checkpoint's own; a worker that was restarted needs one. */
const LATE = 5;

export async function probeAudit(stores: Stores, now: () => number = Date.now): Promise<readonly ProbeResult[]> {
  const { audit } = stores.site;
  const prober = createProber('audit log');
  if (!audit) {
    await prober.optional('kept', () => Promise.reject(new Error('the site file has no section audit: no operation on data is on record')));
    return prober.results;
  }
  await prober.needed('keys', async () => {
    const { log, witness } = await auditKeys(stores);
    return `${log}, witness ${witness}`;
  });
  await prober.needed('bucket under Object Lock', async () => {
    await stores.cold.ensureBucket(audit.bucket, { objectLock: true });
    return audit.bucket;
  });
  await prober.needed('checkpoints', async () => {
    const progress = await firstProgress(stores, now);
    expect(progress !== undefined, 'there is none yet: is a control worker running?');
    const { leaves, witnessedAt, batchesWaiting, waitedSeconds } = progress;
    expect(witnessedAt !== undefined, `the last one, of ${leaves} entries, is not signed by the site file's witness`);
    const text = `the last one, of ${leaves} entries, at ${witnessedAt}; ${batchesWaiting} batches wait`;
    expect(waitedSeconds <= LATE * audit.checkpointSeconds, `${text}, the oldest for ${waitedSeconds} s: see the log of the control workers`);
    return text;
  });
  await prober.needed('all on record', async () => {
    const [{ entries, since }, elsewhere] = [await machineSpoolState(audit), await notOnRecord(stores)];
    expect(entries === 0, `${entries} entries of this machine since ${since} are not yet on record: the log took nothing, and they follow when it does`);
    expect(elsewhere.length === 0, `${elsewhere.join(', ')} is not yet on record`);
    return 'no machine keeps entries in a spool';
  });
  return prober.results;
}

/** A control worker that has just begun seals at once, which takes a second or two. */
async function firstProgress(stores: Stores, now: () => number): ReturnType<typeof auditProgress> {
  for (let look = 1; look < LOOKS; look += 1) {
    const progress = await auditProgress(stores, now());
    if (progress) return progress;
    await delay(LOOK_MS);
  }
  return await auditProgress(stores, now());
}

const LOOKS = 10;
const LOOK_MS = 1000;
