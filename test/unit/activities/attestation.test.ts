/** What an attestation makes of what a store answers: each case has its own finding, which says what happened and what is still there. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { bucketFindings, findingOf } from '../../../activities/attestation.ts';
import type { ObjectVersion } from '../../../drivers/object-store/lock-evidence.ts';
import type { Lock } from '../../../model/retention.ts';

const promised: Lock = { mode: 'COMPLIANCE', retainUntil: '2033-11-22T00:00:00.000Z' };
const version = (versionId: string, isDeleteMarker = false): ObjectVersion => ({
  versionId,
  isDeleteMarker,
  bytes: 5,
  etag: 'e',
  modifiedAt: '2026-11-22T00:00:00.000Z',
});
const at = new Date('2026-11-22T00:00:00.000Z');
const sound = { exists: true, hasObjectLock: true, versioning: 'enabled', storeTime: at.toISOString() } as const;

describe('of an object', () => {
  const kindOf = (lock: Lock | 'gone' | undefined, versions: Parameters<typeof findingOf>[2], difference?: Parameters<typeof findingOf>[0]['difference']) =>
    findingOf({ path: 'a', lock, difference }, promised, versions);

  it('deleted, overwritten or gone', () => {
    const archived = { version: version('v1'), lock: promised };
    const hidden = kindOf('gone', [{ version: version('m1', true), lock: undefined }, archived]);
    assert.deepEqual([hidden.kind, /v1 is still there beneath it, locked until 2033/.test(hidden.what)], ['hidden', true]);
    assert.equal(kindOf(undefined, [{ version: version('v2'), lock: undefined }, archived]).kind, 'overwritten');
    const rival = kindOf(promised, [{ version: version('v2'), lock: promised }, archived], { path: 'a', kind: 'differing' });
    assert.equal(rival.kind, 'overwritten', 'also where the other version is locked, too');
    assert.equal(kindOf('gone', []).kind, 'missing');
    const bare = kindOf('gone', [
      { version: version('m1', true), lock: undefined },
      { version: version('v1'), lock: undefined },
    ]);
    assert.match(bare.what, /1 older versions are there, none locked/);
  });

  it('less locked than promised, or rotten', () => {
    const only = (lock: Lock | undefined) => kindOf(lock, [{ version: version('v1'), lock }]);
    assert.equal(only(undefined).kind, 'unlocked');
    assert.equal(only({ ...promised, retainUntil: '2030-01-01T00:00:00.000Z' }).kind, 'shortened');
    assert.equal(only({ ...promised, mode: 'GOVERNANCE' }).kind, 'weakened');
    const rotten = kindOf(promised, [{ version: version('v1'), lock: promised }], { path: 'a', kind: 'differing', detail: 'CRC32C x instead of y' });
    assert.deepEqual([rotten.kind, rotten.what], ['rotten', 'CRC32C x instead of y']);
    assert.equal(kindOf(promised, [{ version: version('v1'), lock: promised }], { path: 'a', kind: 'unreadable' }).kind, 'unreadable');
  });
});

describe('of a bucket', () => {
  const kinds = (state: Parameters<typeof bucketFindings>[0], isLocked = true) => bucketFindings(state, 'acme', at, isLocked).map(({ kind }) => kind);

  it('that is gone, has lost its lock or its versions, or whose store has another time', () => {
    assert.deepEqual(kinds(sound), []);
    assert.deepEqual(kinds({ ...sound, exists: false }), ['bucket-gone']);
    assert.deepEqual(kinds({ ...sound, hasObjectLock: false, versioning: 'suspended' }), ['lock-off', 'versioning-off']);
    assert.deepEqual(kinds({ ...sound, hasObjectLock: false, versioning: 'none' }, false), [], 'which nobody promises any more at the end');
    for (const years of [-10, 10]) {
      const storeTime = new Date(at.getTime() + years * 365 * 86_400_000).toISOString();
      assert.deepEqual(kinds({ ...sound, storeTime }), ['clock-off']);
    }
    assert.deepEqual(kinds({ ...sound, storeTime: undefined }), []);
  });
});
