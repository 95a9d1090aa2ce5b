/** `penstock retention`: orders with a name behind them, and evidence that can be printed. */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { retentionPage } from '../../../cli/views/retention-page.ts';
import type { Penstock } from '../../../client/index.ts';
import type { Hold, RetentionStatus } from '../../../model/retention.ts';
import { type RetentionReport, RetentionReportSchema } from '../../../model/retention-report.ts';
import { penstock, recorder } from './support.ts';

const ALLOCATION = 'acme/vision/train-001';
const hold: Hold = { matter: 'case-1', reason: 'subpoena', actor: 'ada', since: '2026-11-20T08:00:00.000Z' };
const retained = (changes: Partial<RetentionStatus> = {}): RetentionStatus => ({
  tenant: 'acme',
  project: 'vision',
  allocationId: 'train-001',
  location: 'cold:s3://acme/vision/train-001/',
  retainUntil: '2033-11-22T00:00:00.000Z',
  attestations: 4,
  lastAttestedAt: '2026-11-20T08:00:00.000Z',
  mode: 'COMPLIANCE',
  stage: 'kept',
  holds: [],
  findings: [],
  findingCount: 0,
  disposition: 'keep',
  manifest: { store: 'warm', bucket: 'penstock-system', prefix: 'manifests/x/', pages: 1, files: 3, bytes: 70_024, digest: 'ab'.repeat(32) },
  target: { store: 'cold', bucket: 'acme', prefix: 'vision/train-001/' },
  ...changes,
});
const breached = retained({
  allocationId: 'train-002',
  findings: [{ kind: 'hidden', path: '<script>alert(1)</script>', what: 'deleted by a marker "now" & then\u001b[2K' }],
  findingCount: 7,
  holds: [hold, { ...hold, matter: 'old', released: { at: '2026-11-21T08:00:00.000Z', actor: 'bob', reason: 'closed' } }],
});

const unprepared = () => Promise.reject(new Error('not prepared'));
const world = (more: Partial<Penstock['retentions']>) => ({
  penstock: { retentions: { status: unprepared, placeHold: unprepared, releaseHold: unprepared, dispose: unprepared, ofTenant: unprepared, ...more } },
});

describe('penstock retention', () => {
  let directory: string;
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'penstock-retention-'));
  });
  after(() => rm(directory, { recursive: true, force: true }));

  test('hold and release-hold carry matter, reason and actor, and say what holds then', async () => {
    const placed = recorder(retained({ holds: [hold] }));
    const order = ['--reason', 'subpoena', '--actor', 'ada', '--matter', 'case-1'];
    const ran = await penstock(['retention', 'hold', ALLOCATION, ...order], world({ placeHold: placed.ask }));
    assert.equal(ran.code, 0, ran.stderr);
    assert.deepEqual(placed.asked, [{ matter: 'case-1', reason: 'subpoena', actor: 'ada' }]);
    assert.match(ran.stdout, /legal holds +case-1/);
    const released = recorder(retained());
    await penstock(['retention', 'release-hold', ALLOCATION, '--reason', 'closed', '--actor', 'ada'], world({ releaseHold: released.ask }));
    assert.deepEqual(released.asked, [{ matter: 'default', reason: 'closed', actor: 'ada' }]);
    const anonymous = await penstock(['retention', 'hold', ALLOCATION, '--reason', 'subpoena'], world({}));
    assert.equal(anonymous.code, 2);
    const spaced = await penstock(['retention', 'hold', ALLOCATION, '--reason', 'x', '--actor', 'ada b'], world({}));
    assert.match(spaced.stderr, /actor: found "ada b"; accepted: 1 to 128 printable characters/);
  });

  test('dispose carries the decision', async () => {
    const disposed = recorder(retained({ stage: 'deleting' }));
    const decision = ['--decision', 'delete', '--reason', 'over', '--actor', 'ada'];
    const ran = await penstock(['retention', 'dispose', ALLOCATION, ...decision], world({ dispose: disposed.ask }));
    assert.match(ran.stdout, /over, being deleted/);
    const promisedUntil = '2033-10-23T00:00:00.000Z';
    const early = await penstock(['retention', 'dispose', ALLOCATION, ...decision], world({ dispose: recorder(retained({ promisedUntil })).ask }));
    assert.match(early.stdout, /state +locked\nuntil +2033-11-22T00:00:00.000Z \(COMPLIANCE\)\npromised until +2033-10-23T00:00:00.000Z/);
    assert.deepEqual(disposed.asked, [{ decision: 'delete', reason: 'over', actor: 'ada' }]);
  });

  test('report of a tenant names what is wrong, as a table, as JSON of its schema and as a page; exit code 8', async () => {
    const page = join(directory, 'acme.html');
    const tenant = world({ ofTenant: async () => [retained(), breached] });
    const table = await penstock(['retention', 'report', '--tenant', 'acme', '--html', page], tenant);
    assert.equal(table.code, 8);
    assert.match(table.stdout, /vision\/train-002 .* case-1 .* 7\n/);
    assert.match(table.stdout, /7 findings:\n {2}hidden: <script>.*\n {2}and 6 more/);
    const json = await penstock(['retention', 'report', '--tenant', 'acme', '--json'], tenant);
    const report = RetentionReportSchema.parse(JSON.parse(json.stdout));
    assert.deepEqual([report.subject, report.retentions.map(({ findingCount }) => findingCount)], ['acme', [0, 7]]);
    const html = await readFile(page, 'utf8');
    assert.match(html, /Nothing wrong was found at 2026-11-20T08:00:00\.000Z\./);
    for (const text of ['<script', '\u001b']) assert.ok(!html.includes(text));
    assert.match(html, /hidden: &lt;script&gt;alert\(1\)&lt;\/script&gt;: deleted by a marker &quot;now&quot; &amp; then/);
    const again = await penstock(['retention', 'report', '--tenant', 'acme', '--html', page], tenant);
    assert.match(again.stderr, /--html: .*EEXIST/);
    assert.equal((await penstock(['retention', 'report', '--tenant', 'acme'], world({ ofTenant: async () => [retained()] }))).code, 0);
  });

  test('report does not say that all is well of what nobody has looked at yet', async () => {
    const { lastAttestedAt: _never, ...unseen } = retained({ attestations: 0 });
    const page = join(directory, 'unseen.html');
    const ran = await penstock(['retention', 'report', '--tenant', 'acme', '--html', page], world({ ofTenant: async () => [unseen] }));
    assert.match(ran.stdout, /not yet +-$/m);
    const html = await readFile(page, 'utf8');
    assert.match(html, /Not looked at since it was archived\./);
    assert.doesNotMatch(html, /Nothing wrong/);
  });

  test('report asks for an allocation or a tenant, not both', async () => {
    for (const names of [[], [ALLOCATION, '--tenant', 'acme']]) assert.equal((await penstock(['retention', 'report', ...names], world({}))).code, 2);
  });
});

test('the page stands alone: nothing is fetched, nothing runs, whatever the texts are', () => {
  const odd = `"'><img src=x onerror=alert(1)>`;
  const report: RetentionReport = {
    formatVersion: 1,
    site: odd,
    madeAt: odd,
    subject: odd,
    retentions: [
      {
        tenant: odd,
        project: odd,
        allocationId: odd,
        location: odd,
        mode: 'GOVERNANCE',
        retainUntil: odd,
        promisedUntil: odd,
        stage: 'free',
        disposition: 'ask',
        decision: { decision: 'keep', reason: odd, actor: odd, at: odd },
        files: 1,
        bytes: 1,
        digest: odd,
        attestations: 1,
        lastAttestedAt: odd,
        findingCount: 1,
        findings: [{ kind: 'rotten', path: odd, what: odd }],
        holds: [{ matter: odd, reason: odd, actor: odd, since: odd, released: { at: odd, actor: odd, reason: odd } }],
        look: { at: odd, storeTime: odd, objects: 1, read: 1, findingCount: 0, findings: [] },
        objects: [{ path: odd, bytes: 1, crc32c: odd, mode: 'GOVERNANCE', retainUntil: odd, wasRead: true, findings: [{ kind: 'rotten', what: odd }] }],
        objectsNotListed: 3,
        events: [{ time: odd, operation: odd, outcome: odd, by: odd, reason: odd }],
      },
    ],
  };
  const page = retentionPage(report);
  assert.doesNotMatch(page, /<img|onerror=alert\(1\)>/);
  assert.doesNotMatch(page, /(?:src|href)=["']?http|<script|<link/);
  assert.match(page, /default-src 'none'/);
  assert.match(page, /@media print/);
});
