/** The audit log of a site: a lifecycle with workers killed on the way is on record, whole, and whoever touches the record is found out. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { auditFiles } from '../../activities/audit-log.ts';
import { queryAudit, verifyAudit } from '../../activities/audit-reading.ts';
import { reportRetention } from '../../activities/retention-report.ts';
import { names } from '../../datapath/audit/layout.ts';
import type { Operation } from '../../model/audit.ts';
import { AuditSettingsSchema } from '../../model/audit-settings.ts';
import { auditedActivities } from '../../workers/audit-operations.ts';
import { allocationInput, datasetFiles, keyOf, NODE, runJob, seedDataset, untilPhase } from '../support/scenario.ts';
import { startTestSite, type TestSite } from '../support/site.ts';
import { eventually } from '../support/wait.ts';

const LIMIT_MS = 120_000;

describe('the audit log of a site', { concurrency: false }, () => {
  let site: TestSite;
  const key = keyOf('on-record');

  before(async () => {
    site = await startTestSite({ audit: { bucket: 'penstock-audit', key: 'embedded', witnessKey: 'embedded', checkpointSeconds: 1 } });
    await seedDataset(site.stores.warm, datasetFiles(40, 3000));
  });
  after(() => site.stop());

  const penstock = (...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> =>
    new Promise((resolve) => {
      execFile(process.execPath, ['cli/main.ts', ...args], (error, stdout, stderr) => {
        resolve({ code: typeof error?.code === 'number' ? error.code : error ? 1 : 0, stdout, stderr });
      });
    });
  const atSite = (...args: string[]) => penstock('--site', site.running.siteFile, ...args);

  const entries = async (): Promise<Operation[]> => {
    const found: Operation[] = [];
    for await (const entry of queryAudit(site.stores, {})) found.push(entry);
    return found;
  };
  const kill = async (name: string): Promise<void> => {
    await site.running.service(name).kill('SIGKILL');
    await site.running.service(name).restart();
  };

  /** Each activity that Temporal knows to be done has its outcome on record, once, and each outcome its intent. */
  const allOnRecord = async (): Promise<Operation[]> => {
    const done = await doneByTemporal(site);
    assert.ok(done.length > 10, `only ${done.length} activities`);
    const recorded = await eventually('all to be sealed', async () => {
      const sealed = await entries();
      const outcomes = new Set(sealed.filter(({ outcome }) => outcome === 'done').map(({ runId, activityId }) => `${runId}/${activityId}`));
      const missing = done.filter((each) => !outcomes.has(each));
      if (missing.length > 0) throw new Error(`not on record: ${missing.join(', ')}`);
      return sealed;
    });
    assert.equal(new Set(recorded.map(({ id }) => id)).size, recorded.length, 'no entry is there twice');
    const intents = new Set(recorded.filter(({ stage }) => stage === 'intent').map(({ runId, activityId, attempt }) => `${runId}/${activityId}/${attempt}`));
    for (const { stage, runId, activityId, attempt } of recorded)
      if (stage === 'outcome') assert.ok(intents.has(`${runId}/${activityId}/${attempt}`), 'an outcome has its intent');
    return recorded;
  };

  test('with both workers killed on the way, each activity that Temporal knows to be done is on record, once', async () => {
    await site.penstock.submit(allocationInput(key.allocationId));
    await untilPhase(site, key, 'ready', LIMIT_MS);
    await kill('worker-control');
    const plan = await site.penstock.assignNodes(key, { nodes: [NODE] });
    await runJob(site, key, plan);
    await kill('worker-data');
    const finished = site.penstock.finish(key, { outcome: 'succeeded' });
    await kill('worker-control');
    await finished;
    await untilPhase(site, key, 'released', LIMIT_MS);

    const recorded = await allOnRecord();
    for (const operation of ['admit', 'copy', 'export', 'revoke', 'wipe', 'checkpoint-commit', 'checkpoint-drain', 'checkpoint-release', 'publish', 'delete'])
      assert.ok(
        recorded.some((entry) => entry.operation === operation && entry.allocationId === key.allocationId),
        `no ${operation}`,
      );
    assert.deepEqual((await verifyAudit(site.stores, {})).findings, []);
  });

  test('with the log out a checkpoint is committed, its worker killed, and once the log is back all of that is on record', async () => {
    const held = keyOf('meanwhile');
    await site.penstock.submit(allocationInput(held.allocationId));
    await untilPhase(site, held, 'ready', LIMIT_MS);
    const plan = await site.penstock.assignNodes(held, { nodes: [NODE] });
    await site.running.service('s3-warm').kill('SIGKILL');
    await runJob(site, held, plan);
    const { spool } = AuditSettingsSchema.parse(site.stores.site.audit);
    assert.equal((await stat(spool)).mode & 0o777, 0o700, 'names of data stand in it');
    await site.running.service('worker-data').kill('SIGKILL');
    assert.ok((await readdir(spool)).length > 1, 'what was done is on the machine');
    assert.match((await atSite('doctor')).stdout, /audit log +all on record +no +needed +\d+ entries of this machine since /);
    await site.running.service('worker-data').restart();
    await site.running.service('s3-warm').restart();
    await site.penstock.finish(held, { outcome: 'succeeded' });
    await untilPhase(site, held, 'released', LIMIT_MS);

    const recorded = await allOnRecord();
    const late = recorded.findIndex(({ operation }) => operation === 'spool');
    const committed = recorded.findIndex(({ operation, allocationId }) => operation === 'checkpoint-commit' && allocationId === held.allocationId);
    assert.ok(late >= 0 && late < committed, 'the log says itself that the commit is late');
    const findings = await eventually('nothing to wait any more', async () => {
      const { findings } = await verifyAudit(site.stores, {});
      return findings.some(({ kind }) => kind === 'spool-open') ? undefined : findings;
    });
    assert.deepEqual(findings, []);
  });

  test('the store lets nobody delete a segment or a checkpoint, nor shorten how long it is kept', async () => {
    const { bucket = '' } = site.stores.site.audit ?? {};
    for (const name of [names.segment(0), names.checkpoint(0), names.leaves(0)]) {
      const path = `audit/embedded/${name}`;
      const facts = await site.stores.cold.head(bucket, path);
      const held = await site.stores.cold.retention(bucket, path, facts?.versionId);
      assert.equal(held?.mode, 'COMPLIANCE');
      assert.ok(Date.parse(held.retainUntil) > Date.now() + 6.9 * 365 * 86_400_000, `held until ${held.retainUntil}`);
      await assert.rejects(site.stores.cold.remove(bucket, path, { versionId: facts?.versionId ?? '' }), { name: 'Denied' });
      await assert.rejects(site.stores.cold.retain(bucket, path, { mode: 'COMPLIANCE', retainUntil: new Date().toISOString() }), { name: 'Denied' });
    }
  });

  test('a person queries, verifies and takes a bundle away, which proves itself without the site', async () => {
    const queried = await atSite('audit', 'query', '--user', 'ada', '--type', 'wipe', '--json');
    const rows = queried.stdout
      .trimEnd()
      .split('\n')
      .map((line): Operation => JSON.parse(line));
    assert.deepEqual([...new Set(rows.map(({ allocationId, nodeId }) => `${allocationId} on ${nodeId}`))], ['on-record on n001', 'meanwhile on n001']);
    assert.match(
      (await atSite('audit', 'query', '--allocation', 'acme/vision/on-record', '--limit', '1')).stdout,
      /\tadmit\tintent\tacme\/vision\/on-record\t/,
    );
    const verified = await atSite('audit', 'verify');
    assert.equal(verified.code, 0, verified.stdout);
    assert.match(verified.stdout, /the log is whole/);

    const bundle = join(site.directory, 'all.audit');
    assert.equal((await atSite('audit', 'export', bundle)).code, 0);
    assert.equal((await penstock('audit', 'verify', '--offline', bundle)).code, 0);
    const body = await readFile(bundle);
    await writeFile(`${bundle}.cut`, body.subarray(0, Math.floor(body.length / 2)));
    assert.equal((await penstock('audit', 'verify', '--offline', `${bundle}.cut`)).code, 1);
    const doctor = await atSite('doctor');
    assert.match(doctor.stdout, /audit log +checkpoints +yes/);
  });

  test('a legal hold is on record with who ordered it and why, and so in the evidence of the retention', async () => {
    await site.penstock.retentions.placeHold(key, { reason: 'subpoena', actor: 'eve' });
    const event = await eventually('the hold to be sealed', async () => {
      const { events = [] } = await reportRetention(site.stores, await site.penstock.retentions.status(key), {
        readShare: 0,
        signal: new AbortController().signal,
        onProgress: () => undefined,
      });
      return events.find(({ operation, outcome }) => operation === 'hold' && outcome === 'done');
    });
    assert.deepEqual([event.by, event.reason], ['eve', 'subpoena']);
  });

  test('of a copy, the entry that was edited is named', async () => {
    const copy = join(site.directory, 'copy');
    const files = auditFiles(site.stores);
    for await (const name of files.names()) {
      await mkdir(dirname(join(copy, name)), { recursive: true });
      await writeFile(join(copy, name), (await files.read(name)) ?? '');
    }
    assert.equal((await penstock('audit', 'verify', '--offline', copy)).code, 0);
    const last = (await readdir(join(copy, 'leaves'))).sort().at(-1) ?? '';
    const file = join(copy, 'segments', last.replace('.bin', '.jsonl.zst'));
    const { packLines, unpackLines } = await import('../../datapath/audit/segment.ts');
    const lines = unpackLines(await readFile(file));
    await writeFile(file, packLines(lines.toSpliced(1, 1, (lines[1] ?? '').replace('operation', 'operatiom'))));
    const { code, stdout } = await penstock('-o', 'json', 'audit', 'verify', '--offline', copy);
    assert.equal(code, 8);
    const { findings } = JSON.parse(stdout);
    assert.deepEqual(
      findings.map(({ kind }: { kind: string }) => kind),
      ['entry-changed'],
    );
  });

  test('a segment hidden behind a delete marker is told, and so is a log that ends too early', async () => {
    const { bucket = '' } = site.stores.site.audit ?? {};
    const { DeleteObjectCommand } = await import('@aws-sdk/client-s3');
    const { createS3Client } = await import('../../drivers/object-store/s3-client.ts');
    const { resolveS3Credentials } = await import('../../drivers/site-file.ts');
    const config = site.stores.site.stores.cold;
    await site.running.service('worker-control').kill('SIGKILL');
    const client = createS3Client({ name: 'cold', endpoint: config.endpoint, region: config.region, credentials: await resolveS3Credentials(config) });
    const hide = (name: string) => client.send(new DeleteObjectCommand({ Bucket: bucket, Key: `audit/embedded/${name}` }));
    await hide(names.segment(1));
    const { findings, segments } = await verifyAudit(site.stores, {});
    assert.deepEqual(
      findings.map(({ kind, segment }) => [kind, segment]),
      [['segment-removed', 1]],
    );
    for (const name of [names.segment, names.leaves, names.index, names.checkpoint]) await hide(name(segments - 1));
    const cut = await verifyAudit(site.stores, {});
    assert.deepEqual(
      cut.findings.map(({ kind }) => kind),
      ['segment-removed', 'truncated'],
    );
  });
});

/** `runId/activityId` of every audited activity that completed, in all workflows. */
async function doneByTemporal(site: TestSite): Promise<string[]> {
  const done: string[] = [];
  for await (const { workflowId, runId } of site.temporal.workflow.list()) {
    const { events } = await site.temporal.workflow.getHandle(workflowId, runId).fetchHistory();
    const scheduled = new Map((events ?? []).map((event) => [String(event.eventId), event.activityTaskScheduledEventAttributes]));
    for (const event of events ?? []) {
      const of = event.activityTaskCompletedEventAttributes?.scheduledEventId;
      const attributes = of && scheduled.get(String(of));
      if (attributes && Object.hasOwn(auditedActivities, attributes.activityType?.name ?? '')) done.push(`${runId}/${attributes.activityId}`);
    }
  }
  return done;
}
