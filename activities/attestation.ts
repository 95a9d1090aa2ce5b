/**
 * Whether all that is retained is there, locked as was promised, and whole. What is not is a finding that says what happened: which version lies above, since when, and
 * whether the archived one is still there beneath.
 */
import { ApplicationFailure, metricMeter } from '@temporalio/activity';
import { batches } from '../datapath/transfer/batches.ts';
import { checkManifest, type PathFinding } from '../datapath/transfer/check.ts';
import type { Endpoint } from '../datapath/transfer/endpoint.ts';
import { inLanes } from '../datapath/transfer/lanes.ts';
import { readManifest } from '../datapath/transfer/manifest-store.ts';
import type { RateLimiter } from '../datapath/transfer/rate-limiter.ts';
import type { BucketState, ObjectVersion } from '../drivers/object-store/lock-evidence.ts';
import type { ObjectStore } from '../drivers/object-store/port.ts';
import type { Stores } from '../drivers/open-site.ts';
import { absent, isType } from '../model/errors.ts';
import { parseJson } from '../model/json.ts';
import type { ManifestEntry } from '../model/manifest.ts';
import { OUTPUT_RECORD, OutputRecordSchema } from '../model/output-record.ts';
import { type Attestation, coversLock, FINDINGS_SHOWN, findingText, isReadIn, type Lock, type RetentionFinding } from '../model/retention.ts';
import { effect } from './effect.ts';
import { createLimitWatch } from './limits.ts';
import { readMoved } from './manifests.ts';
import { endpointAt, objectsOf } from './places.ts';
import { type LockRequest, type LookRun, OBJECTS_AT_ONCE } from './retention.ts';

/** S3 refuses requests whose clock is 15 minutes off; what is a third of that needs somebody's attention. */
const CLOCK_TOLERANCE_MS = 5 * 60_000;
/** Entries compared at a time, between two looks at the signal. */
const BATCH = 500;

export interface AttestRequest extends LockRequest {
  /** Decides what is read in which round. */
  readonly round: number;
  readonly readShare: number;
  /** False at the end, when nothing is promised any more but what is there. */
  readonly isLocked: boolean;
}

export interface Look extends LookRun {
  /** Of what is read. */
  readonly limiter?: RateLimiter | undefined;
  /** Each object as it was found, in no particular order. */
  readonly onObject?: (object: AttestedObject) => void;
}
interface Listed {
  readonly path: string;
  readonly bytes: number;
  readonly crc32c: string | undefined;
  readonly wasRead: boolean;
}
export interface AttestedObject extends Listed {
  readonly lock: Lock | undefined;
  readonly findings: readonly RetentionFinding[];
}

export type AttestationActivities = ReturnType<typeof createAttestationActivities>;

export function createAttestationActivities(stores: Stores, watch = createLimitWatch(stores)) {
  return {
    /** What is wrong is a failure that must not be repeated, with the attestation in its details: so it is on record wherever failures are. */
    attestRetained: (request: AttestRequest): Promise<Attestation> =>
      effect(async (run) => {
        const { manifest, target } = request;
        const { limiter, done } = await watch.limiterFor({ manifest, source: target, target });
        const attestation = await attestRetained(stores, request, { ...run, limiter }).finally(done);
        const result = attestation.findingCount === 0 ? 'whole' : 'findings';
        metricMeter.createCounter('penstock_retention_attestations_total', undefined, 'looks at all objects of a retention').add(1, { result });
        const [first] = attestation.findings;
        if (!first) return attestation;
        const counter = metricMeter.createCounter('penstock_retention_findings_total', undefined, 'what a look found wrong, the first twenty of it, each time');
        for (const { kind } of attestation.findings) counter.add(1, { kind });
        throw ApplicationFailure.create({
          message: `${attestation.findingCount} findings, the first: ${findingText(first)}`,
          type: 'PolicyRefused',
          nonRetryable: true,
          details: [attestation],
        });
      }),
  };
}

export async function attestRetained(stores: Stores, request: AttestRequest, look: Look): Promise<Attestation> {
  const { target } = request;
  const findings: RetentionFinding[] = [];
  let [findingCount, objects, read] = [0, 0, 0];
  const note = (found: readonly RetentionFinding[]): void => {
    findingCount += found.length;
    findings.push(...found.slice(0, FINDINGS_SHOWN - findings.length));
  };
  const at = new Date();
  const state = await objectsOf(stores, target.store).evidence?.bucketState(target.bucket, look.signal);
  if (state) note(bucketFindings(state, target.bucket, at, request.isLocked));
  for await (const entries of batches(retainedEntries(stores, request), { items: BATCH })) {
    look.signal.throwIfAborted();
    for (const object of await lookAt(stores, request, entries, look)) {
      objects += 1;
      if (object.wasRead) read += 1;
      note(object.findings);
      look.onObject?.(object);
    }
    look.report({ objects, read, findings: findingCount });
  }
  const storeTime = state?.storeTime === undefined ? {} : { storeTime: state.storeTime };
  return { at: at.toISOString(), ...storeTime, objects, read, findingCount, findings };
}

/** Pure: what of a bucket takes its locks away, or says that its dates mean nothing. */
export function bucketFindings({ exists, hasObjectLock, versioning, storeTime }: BucketState, bucket: string, at: Date, isLocked: boolean): RetentionFinding[] {
  if (!exists) return [{ kind: 'bucket-gone', what: `the bucket ${bucket} is not there` }];
  const apartMs = storeTime === undefined ? 0 : Date.parse(storeTime) - at.getTime();
  const clocks = `the store's clock says ${storeTime}, this worker's ${at.toISOString()}: dates of locks mean what the store's clock says they mean`;
  const findings: (RetentionFinding | false)[] = [
    isLocked && !hasObjectLock && { kind: 'lock-off', what: `the bucket ${bucket} has no Object Lock` },
    isLocked && versioning !== 'enabled' && { kind: 'versioning-off', what: `versioning of the bucket ${bucket} is ${versioning}` },
    Math.abs(apartMs) > CLOCK_TOLERANCE_MS && { kind: 'clock-off', what: clocks },
  ];
  return findings.filter((finding) => finding !== false);
}

/** With their checksums, an archive's with their etags; and behind them the record that says the output is whole, which has none. */
async function* retainedEntries(stores: Stores, { manifest, output }: LockRequest): AsyncGenerator<ManifestEntry | string, void> {
  if (manifest.files > 0) yield* output ? readManifest(stores.warm, manifest) : readMoved(stores, manifest);
  yield OUTPUT_RECORD;
}

async function lookAt(stores: Stores, request: AttestRequest, entries: readonly (ManifestEntry | string)[], look: Look): Promise<readonly AttestedObject[]> {
  const known = entries.filter((entry) => typeof entry !== 'string');
  // To read what is archived would cost a restore.
  const isRead = (path: string): boolean => !request.output && isReadIn(request.round, path, request.readShare);
  const wrong = new Map<string, PathFinding>();
  const note = (finding: PathFinding | undefined): void => void (finding && wrong.set(finding.path, finding));
  const target = endpointAt(stores, request.target);
  if (request.output) {
    await inLanes(known, OBJECTS_AT_ONCE, async (entry) => note(await archivedDifference(target, entry, look.signal)));
  } else {
    for (const read of ['always', 'where-needed'] as const) {
      const part = known.filter(({ path }) => isRead(path) === (read === 'always'));
      const options = { target, read, concurrency: OBJECTS_AT_ONCE, signal: look.signal, ...(look.limiter ? { limiter: look.limiter } : {}) };
      await checkManifest({ ...options, entries: part, onFinding: note });
    }
  }
  const all = known.map((entry): Listed => ({ path: entry.path, bytes: entry.bytes, crc32c: entry.crc32c, wasRead: isRead(entry.path) }));
  if (known.length < entries.length) {
    const body = await readRecord(stores, request, look.signal);
    note(recordDifference(body, request));
    all.push({ path: OUTPUT_RECORD, bytes: body?.length ?? 0, crc32c: undefined, wasRead: body !== undefined });
  }
  const store = objectsOf(stores, request.target.store);
  const attested: AttestedObject[] = [];
  await inLanes(all, OBJECTS_AT_ONCE, async ({ path, bytes, crc32c, wasRead }) => {
    const lock = await lockOf(store, request, path, look.signal);
    const findings = await explain(store, request, { path, lock, difference: wrong.get(path) }, look.signal);
    attested.push({ path, bytes, crc32c, lock: lock === 'gone' ? undefined : lock, wasRead, findings });
  });
  return attested;
}

/** An archived object is the one that was listed then as long as its length and its etag are. */
async function archivedDifference(target: Endpoint, { path, bytes, etag }: ManifestEntry, signal: AbortSignal): Promise<PathFinding | undefined> {
  const held = await target.stat(path, signal);
  if (!held) return { path, kind: 'missing' };
  if (held.bytes !== bytes) return { path, kind: 'differing', detail: `${held.bytes} bytes instead of ${bytes}` };
  if (held.etag !== etag) return { path, kind: 'differing', detail: `it is version ${held.etag} instead of ${etag}` };
  return undefined;
}

function readRecord(stores: Stores, { target }: LockRequest, signal: AbortSignal): Promise<Buffer | undefined> {
  return objectsOf(stores, target.store).readBytes(target.bucket, `${target.prefix}${OUTPUT_RECORD}`, { signal }).catch(absent);
}

/** The record that says "whole" must speak of this manifest: an older one, put in its place, would speak of another. */
function recordDifference(body: Buffer | undefined, { output, manifest: retained }: LockRequest): PathFinding | undefined {
  const manifest = output ?? retained;
  if (!body) return { path: OUTPUT_RECORD, kind: 'missing' };
  const record = OutputRecordSchema.safeParse(parseJson(body));
  if (record.success && record.data.digest === manifest.digest && record.data.files === manifest.files) return undefined;
  const found = record.success ? `${record.data.files} files with the digest ${record.data.digest}` : 'nothing that could be understood';
  return { path: OUTPUT_RECORD, kind: 'differing', detail: `it records ${found}, instead of ${manifest.files} with ${manifest.digest}` };
}

async function lockOf(store: ObjectStore, { target }: LockRequest, path: string, signal: AbortSignal): Promise<Lock | 'gone' | undefined> {
  try {
    return await store.retention(target.bucket, `${target.prefix}${path}`, undefined, signal);
  } catch (error) {
    // Of a delete marker stores say one or the other.
    if (isType(error, 'NotFound', 'InvalidInput')) return 'gone';
    throw error;
  }
}

interface Seen {
  readonly path: string;
  readonly lock: Lock | 'gone' | undefined;
  readonly difference: PathFinding | undefined;
}

/** Asks for the versions only where something is wrong. */
async function explain(store: ObjectStore, request: AttestRequest, seen: Seen, signal: AbortSignal): Promise<readonly RetentionFinding[]> {
  const { target, isLocked, retainUntil, mode = 'COMPLIANCE' } = request;
  const promised = { mode, retainUntil };
  const isGone = seen.lock === 'gone' || seen.difference?.kind === 'missing';
  const isHeld = !isLocked || (seen.lock !== 'gone' && coversLock(seen.lock, promised));
  if (!isGone && !seen.difference && isHeld) return [];
  const key = `${target.prefix}${seen.path}`;
  const versions = (await store.evidence?.versions(target.bucket, key, signal)) ?? [];
  const locks = await Promise.all(
    versions.map(async (version) => ({
      version,
      lock: version.isDeleteMarker ? undefined : await store.retention(target.bucket, key, version.versionId, signal),
    })),
  );
  return [findingOf(seen, promised, locks)];
}

/** Pure: what happened to one object. @param versions newest first */
export function findingOf(
  { path, lock, difference }: Seen,
  promised: Lock,
  versions: readonly { readonly version: ObjectVersion; readonly lock: Lock | undefined }[],
): RetentionFinding {
  const [newest, ...older] = versions;
  const archived = older.find((each) => coversLock(each.lock, promised));
  const beneath = archived
    ? `; the archived version ${archived.version.versionId} is still there beneath it, locked until ${archived.lock?.retainUntil}`
    : older.some(({ version }) => !version.isDeleteMarker)
      ? `; ${older.length} older versions are there, none locked until ${promised.retainUntil}`
      : '';
  if (newest?.version.isDeleteMarker) return { kind: 'hidden', path, what: `deleted by a marker at ${newest.version.modifiedAt}${beneath}` };
  if (newest && archived)
    return { kind: 'overwritten', path, what: `another version, ${newest.version.versionId}, was written at ${newest.version.modifiedAt}${beneath}` };
  if (lock === 'gone' || difference?.kind === 'missing') return { kind: 'missing', path, what: `gone: no version of it is there${beneath}` };
  if (difference) return { kind: difference.kind === 'unreadable' ? 'unreadable' : 'rotten', path, what: difference.detail ?? 'it is not what was archived' };
  const expected = `was to be locked ${promised.mode} until ${promised.retainUntil}`;
  if (lock === undefined) return { kind: 'unlocked', path, what: `${expected}, and has no lock${beneath}` };
  const kind = coversLock({ ...lock, mode: promised.mode }, promised) ? 'weakened' : 'shortened';
  return { kind, path, what: `${expected}, and is ${lock.mode} until ${lock.retainUntil}${beneath}` };
}
