/** `penstock audit` and the doctor's look at it, over a log in memory. */
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { recorded } from '../../../activities/audit-log.ts';
import { verifyAudit } from '../../../activities/audit-reading.ts';
import { openMachineRecorder } from '../../../activities/audit-spool.ts';
import { probeAudit } from '../../../cli/doctor/probe-audit.ts';
import { originOf } from '../../../datapath/audit/layout.ts';
import { openSigner } from '../../../datapath/audit/note.ts';
import { createSequencer } from '../../../datapath/audit/sequencer.ts';
import type { Stores } from '../../../drivers/open-site.ts';
import { loadSiteFile } from '../../../drivers/site-file.ts';
import type { Operation } from '../../../model/audit.ts';
import { AuditSettingsSchema } from '../../../model/audit-settings.ts';
import { asObjectStore, type MemoryLog, memoryLog, operationAt, pemOfNewKey, SITE, START_MS, send } from '../../support/audit-log.ts';
import { recordingStores } from './recording-stores.ts';
import { penstock, siteFile } from './support.ts';

describe('penstock audit', () => {
  let directory: string;
  let memory: MemoryLog;
  let stores: Stores;

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'penstock-audit-'));
    const [key, witnessKey] = [join(directory, 'log.pem'), join(directory, 'witness.pem')];
    const pems = [pemOfNewKey(), pemOfNewKey()] as const;
    await writeFile(key, pems[0]);
    await writeFile(witnessKey, pems[1]);
    memory = memoryLog({
      keys: { log: [openSigner(pems[0], originOf(SITE), 'log')], witness: [openSigner(pems[1], `${originOf(SITE)}/witness`, 'witness')] },
    });
    const silent = recordingStores(await loadSiteFile(siteFile)).stores;
    const audit = AuditSettingsSchema.parse({
      bucket: 'penstock-audit',
      key: `file:${key}`,
      witnessKey: `file:${witnessKey}`,
      spool: join(directory, 'spool'),
    });
    stores = { ...silent, site: { ...silent.site, audit }, cold: asObjectStore(memory.cold), warm: asObjectStore(memory.warm) };
    const odd = operationAt(1, START_MS, { nodeId: 'n001', paths: ['warm:s3://acme/a\n2026 wipe\u001b[2K\u202e'], operation: 'wipe' });
    await send(memory, [operationAt(0, START_MS, { operation: 'admit', user: 'ada' }), odd], START_MS);
    await createSequencer(memory.log, () => START_MS + 60_000).sealDue();
  });
  after(() => rm(directory, { recursive: true, force: true }));

  const audit = (...parameters: string[]) => penstock(['audit', ...parameters], { stores });

  test('one event is one line, whatever stands in a name', async () => {
    const { stdout, code } = await audit('query', '--node', 'n001');
    assert.equal(code, 0);
    assert.match(
      stdout,
      /^2026-11-22T08:00:00\.000Z\twipe\toutcome\tacme\/vision\/train-1\tn001 warm:s3:\/\/acme\/a\\u000a2026 wipe\\u001b\[2K\\u202e\tworker data-1\n$/,
    );
    const rows = (await audit('query', '--json')).stdout.trimEnd().split('\n');
    assert.equal(rows.length, 2);
    assert.equal(JSON.parse(rows[1] ?? '').paths[0], 'warm:s3://acme/a\n2026 wipe\u001b[2K\u202e');
    const first = await audit('query', '--limit', '1');
    assert.deepEqual([first.code, first.stdout.trimEnd().split('\n').length], [0, 1]);
    assert.match(first.stderr, /^these are the first 1, and there are more/);
    assert.equal((await audit('query', '--limit', '2')).stderr, '');
    assert.equal((await audit('query', '--type', 'sing')).code, 2);
    assert.equal((await audit('query', '--since', 'yesterday')).code, 2);
  });

  test('a whole log exits with 0, one that was touched with 8 and what happened', async () => {
    assert.equal((await audit('verify')).code, 0);
    const [path = '', body = Buffer.alloc(0)] = [...memory.cold.objects].find(([each]) => each.includes('/leaves/')) ?? [];
    memory.cold.objects.delete(path);
    const { code, stdout } = await audit('verify');
    assert.equal(code, 8);
    assert.match(stdout, /hashes-damaged +0 +its hashes are gone/);
    memory.cold.objects.set(path, body);
    const [notePath = '', note = Buffer.alloc(0)] = [...memory.warm.objects].find(([each]) => each.includes('/witness/')) ?? [];
    memory.warm.objects.delete(notePath);
    assert.match((await audit('verify')).stdout, /the witness keeps nothing/);
    memory.warm.objects.set(notePath, note);
  });

  test('a copy and a bundle are verified without the site', async () => {
    const copy = join(directory, 'copy');
    for (const [name, body] of memory.files()) {
      await mkdir(dirname(join(copy, name)), { recursive: true });
      await writeFile(join(copy, name), body);
    }
    const offline = (...parameters: string[]) => penstock(['audit', 'verify', '--offline', ...parameters]);
    assert.equal((await offline(copy)).code, 0);
    const bundle = join(directory, 'bundle');
    assert.equal((await audit('export', bundle)).code, 0);
    assert.equal((await offline(bundle)).code, 0);
    assert.equal((await offline(bundle, '--key', memory.keys.witness[0].verifier)).code, 8);
    assert.equal((await offline(siteFile)).code, 1);
    assert.equal((await offline(bundle, '--kept', siteFile)).code, 1);
    assert.equal((await audit('export', join(directory, 'none'), '--since', '2099-01-01')).code, 3);
  });

  test('what a person does through the command line is on record with their name', async () => {
    const facts = { operation: 'give-up' as const, paths: ['acme/vision/lost.bin'] };
    const inbox = () =>
      [...memory.warm.objects].filter(([path]) => path.includes('/inbox/')).flatMap(([, body]) => body.toString('utf8').trimEnd().split('\n'));
    const seen = await recorded(stores, 'ada', facts, async () => inbox().length);
    assert.equal(seen, 1, 'the intent came first');
    const entries = inbox().map((line): Operation => JSON.parse(line));
    assert.deepEqual(
      entries.map(({ stage, user, operation, outcome }) => [stage, user, operation, outcome]),
      [
        ['intent', 'ada', 'give-up', undefined],
        ['outcome', 'ada', 'give-up', 'done'],
      ],
    );
    for (const path of [...memory.warm.objects.keys()]) if (path.includes('/inbox/')) memory.warm.objects.delete(path);
  });

  test('a machine whose entries are not on record yet is told by verify and doctor, and so is one that was lost with them', async () => {
    const { audit: settings } = stores.site;
    assert.ok(settings);
    const { warm } = stores;
    let isOut = true;
    const put: typeof warm.writeBytes = (...parameters) => (isOut ? Promise.reject(new Error('out')) : warm.writeBytes(...parameters));
    const machine = { ...stores, warm: Object.assign(Object.create(warm), { writeBytes: put }) };
    const told = async () => {
      const row = (await probeAudit({ ...machine, warm }, () => START_MS + 90_000)).find(({ ability }) => ability === 'all on record');
      return [row?.works, row?.evidence, (await verifyAudit(stores, {})).findings.map(({ kind, what }) => `${kind}: ${what}`).join()].join('\n');
    };
    const open = () => openMachineRecorder(machine, settings, { actor: 'worker data 1', onState: () => undefined });
    assert.match(await told(), /^yes\nno machine keeps entries in a spool\n$/);

    await (await open()).record(operationAt(7, START_MS), 'spool');
    assert.match(
      await told(),
      /^no\n1 entries of this machine since 20.+ are not yet on record.*\nspool-open: what .+ keeps in .+\/spool since 20.+ is not on record$/,
    );
    isOut = false;
    await open();
    assert.match(await told(), /^yes\n.*\n$/);

    isOut = true;
    await (await open()).record(operationAt(8, START_MS), 'spool');
    await rm(settings.spool, { recursive: true });
    isOut = false;
    await open();
    assert.match((await audit('query')).stderr, /^what .+ keeps in .+ is not on record yet\n$/);
    assert.match(await told(), /^no\nwhat .+ keeps in .+\/spool since 20.+ is not yet on record\nspool-open: /, 'a new spool in its place is another one');
    for (const objects of [memory.cold.objects, memory.warm.objects])
      for (const path of [...objects.keys()]) if (/\/inbox\/|\/audit-spools\//.test(path)) objects.delete(path);
  });

  test('doctor says what is signed, and what has waited too long', async () => {
    const evidence = async (nowMs: number) =>
      (await probeAudit(stores, () => nowMs)).map(({ ability, works, evidence }) => `${ability}: ${works}, ${evidence}`).join('\n');
    assert.match(await evidence(START_MS + 90_000), /checkpoints: yes, the last one, of 5 entries, at 2026-11-22T08:01:00\.000Z; 0 batches wait/);
    await send(memory, [operationAt(9, START_MS + 60_000)], START_MS + 60_000);
    assert.match(await evidence(START_MS + 3_600_000), /checkpoints: no, .*1 batches wait, the oldest for 3540 s/);
    const { audit: _none, ...site } = stores.site;
    const [without] = await probeAudit({ ...stores, site });
    assert.deepEqual([without?.works, without?.isNeeded], ['no', false]);
    assert.match(without?.evidence ?? '', /no section audit/);
  });
});
