/** What somebody with rights at the store, or below it, may try with what is retained: nothing is lost, and the finding says what happened. */
import assert from 'node:assert/strict';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import {
  DeleteBucketCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  GetObjectLegalHoldCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
  PutObjectRetentionCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import { type AttestedObject, type AttestRequest, attestRetained } from '../../activities/attestation.ts';
import { deleteRetained } from '../../activities/disposal.ts';
import { extendLocks, placeHold, releaseHold } from '../../activities/retention.ts';
import { LINK_METADATA } from '../../datapath/transfer/object-metadata.ts';
import type { ObjectStore } from '../../drivers/object-store/port.ts';
import { createS3ObjectStore } from '../../drivers/object-store/s3.ts';
import { createS3Client } from '../../drivers/object-store/s3-client.ts';
import type { Stores } from '../../drivers/open-site.ts';
import { SYSTEM_BUCKET } from '../../model/location.ts';
import { OUTPUT_RECORD } from '../../model/output-record.ts';
import type { RetentionFinding } from '../../model/retention.ts';
import { startLyingProxy } from '../support/lying-proxy.ts';
import { ARCHIVE, archiveAt, FILES, listedAt, recordOf, storesAt } from '../support/retained.ts';
import { startTestGateway, type TestGateway } from '../support/s3-gateway.ts';
import { eventually } from '../support/wait.ts';

const WEIGHTS = 'weights.bin';
const look = { signal: new AbortController().signal, report: () => undefined };
const inSeconds = (seconds: number): string => new Date(Date.now() + seconds * 1000).toISOString();
const lockFor = (seconds: number) => ({ mode: 'COMPLIANCE', retainUntil: inSeconds(seconds) }) as const;

let gateway: TestGateway;
let stores: Stores;
let raw: S3Client;
before(async () => {
  gateway = await startTestGateway('cold');
  await gateway.store.ensureBucket(SYSTEM_BUCKET);
  await gateway.store.ensureBucket(ARCHIVE, { objectLock: true });
  stores = await storesAt(gateway.store);
  raw = createS3Client(gateway.options);
});
after(async () => {
  raw.destroy();
  await gateway.stop();
});

const keyOf = ({ target }: AttestRequest, path = WEIGHTS): string => `${target.prefix}${path}`;
const objectOf = (request: AttestRequest, path = WEIGHTS) => ({ Bucket: ARCHIVE, Key: keyOf(request, path) });
const findingsOf = async (request: AttestRequest, at = stores): Promise<readonly RetentionFinding[]> => (await attestRetained(at, request, look)).findings;
const versionsOf = async (request: AttestRequest) => (await gateway.store.evidence?.versions(ARCHIVE, keyOf(request))) ?? [];
async function archivedVersion(request: AttestRequest): Promise<string> {
  const [version] = await versionsOf(request);
  assert.ok(version);
  return version.versionId;
}
async function demandContent(request: AttestRequest, VersionId: string): Promise<void> {
  const { Body } = await raw.send(new GetObjectCommand({ ...objectOf(request), VersionId }));
  assert.deepEqual(Buffer.from((await Body?.transformToByteArray()) ?? []), FILES.get(WEIGHTS));
}

describe('what is retained', () => {
  it('is attested: there, locked until the promised date, and whole', async () => {
    const request = await archiveAt(gateway.store, 'sound', lockFor(3600));
    const sizes = new Map<string, number>();
    const onObject = ({ path, bytes }: AttestedObject): void => void sizes.set(path, bytes);
    const { findings, objects, read, storeTime } = await attestRetained(stores, request, { ...look, onObject });
    assert.deepEqual([findings, objects, read], [[], FILES.size + 1, FILES.size + 1]);
    assert.ok((sizes.get(OUTPUT_RECORD) ?? 0) > 0, 'its size, though no manifest has it');
    assert.ok(Math.abs(Date.parse(storeTime ?? '') - Date.now()) < 10_000);
    assert.deepEqual((await attestRetained(stores, { ...request, readShare: 0 }, look)).read, 1, 'the record alone');
  });

  it('cannot be shortened, nor a version of it deleted', async () => {
    const request = await archiveAt(gateway.store, 'shortened', lockFor(3600));
    const VersionId = await archivedVersion(request);
    for (const Mode of ['COMPLIANCE', 'GOVERNANCE'] as const) {
      const Retention = { Mode, RetainUntilDate: new Date(inSeconds(60)) };
      await assert.rejects(raw.send(new PutObjectRetentionCommand({ ...objectOf(request), VersionId, Retention, BypassGovernanceRetention: true })));
    }
    await assert.rejects(raw.send(new DeleteObjectCommand({ ...objectOf(request), VersionId, BypassGovernanceRetention: true })));
    assert.deepEqual(await findingsOf(request), []);
  });

  it('under GOVERNANCE can be shortened by who may bypass: found, with both dates', async () => {
    const request = await archiveAt(gateway.store, 'governed', { mode: 'GOVERNANCE', retainUntil: inSeconds(3600) });
    assert.deepEqual(await findingsOf(request), []);
    const Retention = { Mode: 'GOVERNANCE', RetainUntilDate: new Date(inSeconds(60)) } as const;
    await raw.send(new PutObjectRetentionCommand({ ...objectOf(request), Retention, BypassGovernanceRetention: true }));
    const [finding] = await findingsOf(request);
    assert.deepEqual([finding?.kind, finding?.path], ['shortened', WEIGHTS]);
    const [promise] = await findingsOf({ ...request, mode: 'COMPLIANCE', retainUntil: inSeconds(10) });
    assert.equal(promise?.kind, 'weakened');
  });

  it('hidden by a delete marker is found, and is still there beneath', async () => {
    const request = await archiveAt(gateway.store, 'hidden', lockFor(3600));
    const version = await archivedVersion(request);
    await raw.send(new DeleteObjectCommand(objectOf(request)));
    const findings = await findingsOf(request);
    assert.equal(findings.length, 1);
    assert.equal(findings[0]?.kind, 'hidden');
    assert.match(findings[0]?.what ?? '', new RegExp(`deleted by a marker at .*; the archived version ${version} is still there beneath it`));
    await demandContent(request, version);
  });

  it('overwritten is found, and an extension and a hold still reach the archived version beneath', async () => {
    const request = await archiveAt(gateway.store, 'overwritten', lockFor(3600));
    const version = await archivedVersion(request);
    await raw.send(new PutObjectCommand({ ...objectOf(request), Body: 'other' }));
    const [finding] = await findingsOf(request);
    assert.equal(finding?.kind, 'overwritten');
    assert.match(finding?.what ?? '', new RegExp(`another version.*; the archived version ${version} is still there`));
    const longer = inSeconds(7200);
    await extendLocks(stores, { ...request, retainUntil: longer }, look);
    await placeHold(stores, { ...request, retainUntil: longer }, look);
    const held = await gateway.store.retention(ARCHIVE, keyOf(request), version);
    assert.ok(Date.parse(held?.retainUntil ?? '') >= Math.floor(Date.parse(longer) / 1000) * 1000);
    assert.equal((await raw.send(new GetObjectLegalHoldCommand({ ...objectOf(request), VersionId: version }))).LegalHold?.Status, 'ON');
    await demandContent(request, version);
  });

  it('has a record that says what is whole: an older one in its place is found, be it locked as well', async () => {
    const request = await archiveAt(gateway.store, 'replayed', lockFor(3600));
    const older = recordOf('replayed', { ...request.manifest, files: 2, digest: '00' });
    await gateway.store.writeBytes(ARCHIVE, keyOf(request, OUTPUT_RECORD), older, { retention: lockFor(3700) });
    assert.deepEqual(
      (await findingsOf(request)).map(({ kind, path }) => [kind, path]),
      [['overwritten', OUTPUT_RECORD]],
    );
  });

  it('rots unseen by the store, and is found when its turn to be read comes', async () => {
    const request = await archiveAt(gateway.store, 'rotten', lockFor(3600));
    const file = join(gateway.root, ARCHIVE, keyOf(request));
    const bytes = await readFile(file);
    bytes[40_000] = 0;
    await writeFile(file, bytes);
    assert.deepEqual(await findingsOf({ ...request, readShare: 0 }), []);
    const turns = await Promise.all([0, 1, 2, 3].map((round) => findingsOf({ ...request, readShare: 0.25, round })));
    assert.deepEqual(
      turns.flat().map(({ kind, path }) => [kind, path]),
      [['rotten', WEIGHTS]],
    );
  });

  it('removed below the store is missing; the others are attested all the same', async () => {
    const request = await archiveAt(gateway.store, 'removed', lockFor(3600));
    await rm(join(gateway.root, ARCHIVE, keyOf(request)));
    const { findings, objects } = await attestRetained(stores, request, look);
    assert.deepEqual([findings.map(({ kind, path }) => [kind, path]), objects], [[['missing', WEIGHTS]], FILES.size + 1]);
    const longer = inSeconds(7200);
    await assert.rejects(extendLocks(stores, { ...request, retainUntil: longer }, look), /1 of 4 objects were refused, the first: .*weights.bin is gone/);
    const others = await Promise.all([...FILES.keys()].slice(1).map((path) => gateway.store.retention(ARCHIVE, keyOf(request, path))));
    for (const held of others) assert.ok(Date.parse(held?.retainUntil ?? '') >= Date.parse(longer) - 1000);
  });

  it('in an archive is held to its listing, a link too, one look at each, no byte of which is read: what is longer, another version or gone is found', async () => {
    const whole = await archiveAt(gateway.store, 'archived', lockFor(3600));
    const { prefix } = whole.target;
    const lock = { retention: lockFor(3600) };
    await gateway.store.writeBytes(ARCHIVE, `${prefix}latest`, Buffer.alloc(0), {
      ...lock,
      metadata: { [LINK_METADATA]: Buffer.from(WEIGHTS).toString('base64') },
    });
    const request = { ...whole, output: whole.manifest, manifest: await listedAt(gateway.store, whole.target) };
    const looks: string[] = [];
    const head: ObjectStore['head'] = (bucket, key, options) => {
      looks.push(key);
      return gateway.store.head(bucket, key, options);
    };
    const { findings, read } = await attestRetained({ ...stores, cold: { ...gateway.store, head } }, request, look);
    assert.deepEqual([findings, read], [[], 1], 'the record alone');
    assert.deepEqual(looks.sort(), [...FILES.keys(), 'latest'].map((path) => prefix + path).sort());

    const [weights = '', metrics = '', notes = ''] = FILES.keys();
    await gateway.store.writeBytes(ARCHIVE, `${prefix}${weights}`, Buffer.alloc(70_000, 'v'), lock);
    await gateway.store.writeBytes(ARCHIVE, `${prefix}${metrics}`, Buffer.from('more than it was, by far'), lock);
    await rm(join(gateway.root, ARCHIVE, keyOf(request, notes)));
    assert.deepEqual(
      new Map((await findingsOf(request)).map(({ kind, path }) => [path, kind])),
      new Map([
        [metrics, 'overwritten'],
        [notes, 'missing'],
        [weights, 'overwritten'],
      ]),
    );
  });

  it('whose list was taken away is locked on and held all the same, and that is told', async () => {
    const request = await archiveAt(gateway.store, 'unlisted', lockFor(3600));
    const { entries } = await gateway.store.list(SYSTEM_BUCKET, 'manifests/unlisted/');
    for (const { key } of entries) await gateway.store.remove(SYSTEM_BUCKET, key);
    const longer = inSeconds(7200);
    const told = /Done for 4 of 4 objects that the store lists.*The list of what is retained cannot be read/;
    await assert.rejects(extendLocks(stores, { ...request, retainUntil: longer }, look), told);
    await assert.rejects(placeHold(stores, { ...request, retainUntil: longer }, look), told);
    for (const path of [...FILES.keys(), OUTPUT_RECORD]) {
      assert.ok(Date.parse((await gateway.store.retention(ARCHIVE, keyOf(request, path)))?.retainUntil ?? '') >= Date.parse(longer) - 1000, path);
      assert.equal((await raw.send(new GetObjectLegalHoldCommand(objectOf(request, path)))).LegalHold?.Status, 'ON');
    }
  });

  it('lies in a bucket that cannot be deleted or lose its versions', async () => {
    const request = await archiveAt(gateway.store, 'bucket', lockFor(3600));
    await assert.rejects(raw.send(new DeleteBucketCommand({ Bucket: ARCHIVE })));
    await assert.rejects(raw.send(new PutBucketVersioningCommand({ Bucket: ARCHIVE, VersioningConfiguration: { Status: 'Suspended' } })));
    assert.deepEqual(await findingsOf(request), []);
    assert.deepEqual((await findingsOf({ ...request, target: { ...request.target, bucket: 'nowhere' } })).at(0), {
      kind: 'bucket-gone',
      what: 'the bucket nowhere is not there',
    });
  });

  it('is locked by the dates of a clock that may be set back: found, and no date moves back with it', async () => {
    const request = await archiveAt(gateway.store, 'backdated', lockFor(3600));
    // Ten minutes: the client signs by the clock that it is told, and a server takes no request that is 15 minutes off its own.
    const date = new Date(Date.now() - 600_000).toUTCString();
    const proxy = await startLyingProxy(gateway.options.endpoint, (_method, url) => (url.includes('versioning') ? { date } : undefined));
    try {
      const store = createS3ObjectStore({ ...gateway.options, endpoint: proxy.endpoint });
      const backdated = { ...stores, cold: store };
      const [finding] = await findingsOf(request, backdated);
      assert.equal(finding?.kind, 'clock-off');
      assert.match(finding?.what ?? '', new RegExp(`the store's clock says ${new Date(date).toISOString()}`));
      await assert.rejects(store.retain(ARCHIVE, keyOf(request), lockFor(60)), { name: 'Denied' });
      await assert.rejects(deleteRetained(backdated, { ...request, retainUntil: inSeconds(-60) }, look), /not over by every clock/);
      assert.deepEqual(await findingsOf(request), []);
    } finally {
      await proxy.stop();
    }
  });
});

describe('a legal hold', () => {
  it('is set and read back on every object, keeps them locked past their retention, and is lifted', async () => {
    const request = await archiveAt(gateway.store, 'held', lockFor(30));
    const statusOf = async (path: string) => (await raw.send(new GetObjectLegalHoldCommand(objectOf(request, path)))).LegalHold?.Status;
    await placeHold(stores, { ...request, retainUntil: inSeconds(3600) }, look);
    for (const path of FILES.keys()) {
      assert.equal(await statusOf(path), 'ON');
      assert.ok(Date.parse((await gateway.store.retention(ARCHIVE, keyOf(request, path)))?.retainUntil ?? '') > Date.now() + 3_500_000);
    }
    await releaseHold(stores, request, look);
    for (const path of FILES.keys()) assert.equal(await statusOf(path), 'OFF');
    await assert.rejects(gateway.store.remove(ARCHIVE, keyOf(request)), { name: 'Denied' }, 'what it was extended to stays');
  });

  it('whose order a store acknowledges without effect is refused', async () => {
    const request = await archiveAt(gateway.store, 'unheld', lockFor(3600));
    const proxy = await startLyingProxy(gateway.options.endpoint, (method, url) =>
      method === 'PUT' && url.includes('legal-hold') ? { status: 200 } : undefined,
    );
    try {
      const lying = { ...stores, cold: createS3ObjectStore({ ...gateway.options, endpoint: proxy.endpoint }) };
      await assert.rejects(placeHold(lying, request, look), /4 of 4 objects were refused.*was to be ON and is not/);
    } finally {
      await proxy.stop();
    }
  });
});

describe('the end of a retention', () => {
  it('deletes every version and reads back that none is left; before it, nothing goes', async () => {
    const request = await archiveAt(gateway.store, 'over', lockFor(8));
    await raw.send(new PutObjectCommand({ ...objectOf(request), Body: 'other' }));
    await raw.send(new DeleteObjectCommand(objectOf(request, 'results/metrics.json')));
    await assert.rejects(deleteRetained(stores, request, look), /not over by every clock/);
    await assert.rejects(deleteRetained(stores, { ...request, retainUntil: inSeconds(-3) }, look), /is locked until .* Nothing is deleted/);
    assert.equal((await versionsOf(request)).length, 2);
    await eventually('the store to let go', () => deleteRetained(stores, request, look).then(() => true), 30_000);
    for (const path of FILES.keys()) assert.deepEqual(await gateway.store.evidence?.versions(ARCHIVE, keyOf(request, path)), []);
    await deleteRetained(stores, request, look);
    assert.deepEqual(
      (await findingsOf({ ...request, isLocked: false })).map(({ kind }) => kind),
      Array.from({ length: FILES.size + 1 }, () => 'missing'),
    );
  });
});
