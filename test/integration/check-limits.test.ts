/** What is read to be compared passes the limits that what is moved passes. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { createCheckActivities } from '../../activities/check.ts';
import type { LimitWatch } from '../../activities/limits.ts';
import { createTransferActivities } from '../../activities/transfer.ts';
import type { MoveRequest } from '../../model/transfer.ts';
import { runActivity } from '../support/run-activity.ts';
import { startTestSite, type TestSite } from '../support/site.ts';

const content = Buffer.alloc(3 * 2 ** 20 + 1, 'penstock ');
const place = (prefix: string) => ({ store: 'warm', bucket: 'data', prefix });
let site: TestSite;

before(async () => {
  site = await startTestSite({ services: ['temporal', 's3', 'hot-tier'] });
  await site.stores.warm.ensureBucket('data');
});
after(() => site.stop());

/** Lets everything pass, and tells of which stores how much did. */
function counting(): { readonly watch: LimitWatch; readonly taken: [string, number][]; users(): number } {
  const taken: [string, number][] = [];
  let users = 0;
  const limiterOf = (stores: string) => {
    users += 1;
    return Promise.resolve({
      limiter: { take: (bytes: number) => Promise.resolve(void taken.push([stores, bytes])), rate: () => Infinity },
      done: () => {
        users -= 1;
      },
    });
  };
  const watch: LimitWatch = {
    limiterAt: (key) => limiterOf(key),
    limiterFor: ({ source, target }) => limiterOf([...new Set([source.store, target.store])].join(' ')),
  };
  return { watch, taken, users: () => users };
}

describe('a check', () => {
  it('passes the limits of the store it reads, as does the verification of a demote', async () => {
    await site.stores.warm.writeBytes('data', 'source/a', content);
    const movers = createTransferActivities(site.stores);
    const source = place('source/');
    const manifest = await runActivity(movers.listTransfer, { name: `transfers/${crypto.randomUUID()}`, source, exclude: [] });
    const request: MoveRequest = { manifest, source, target: place('target/'), replace: false };
    const { moved } = await runActivity(movers.moveWhole, request);

    const checked = counting();
    const check = createCheckActivities(site.stores, checked.watch);
    const part = { manifest: moved, target: request.target, read: 'always', extra: false, records: 'checks/limits/', fromPage: 0, toPage: 1 } as const;
    assert.equal((await runActivity(check.checkPart, part)).counts.same, 1);
    assert.deepEqual([checked.taken, checked.users()], [[['warm', content.length]], 0]);

    const verified = counting();
    const verifier = createTransferActivities(site.stores, verified.watch);
    assert.equal((await runActivity(verifier.verifyTransfer, { manifest, moved, target: request.target })).files, 1);
    assert.deepEqual([verified.taken, verified.users()], [[['warm', content.length]], 0]);
  });
});
