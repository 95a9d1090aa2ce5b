import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { loadSiteFile, resolveSecret } from '../../../drivers/site-file.ts';

const embedded = join(dirname(fileURLToPath(import.meta.url)), '../../../temporal-dev.yaml');
let directory = '';
before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'penstock-site-file-'));
});
after(() => rm(directory, { recursive: true }));

test('the embedded site file is valid, and its quantities are numbers', async () => {
  const site = await loadSiteFile(embedded);
  assert.equal(site.stores.hot.capacity, 20_000_000_000);
  assert.equal(site.erasureSet.racks.length, 20);
});

test('an unknown field is named with its path and a hint', async () => {
  await rejects((text) => text.replace('    root: hot\n', '    root: hot\n    rot: hot\n'), /stores\.hot\.rot: found an unknown field; accepted: .*spelling/);
});

test('a wrong value is shown with what would be accepted', async () => {
  await rejects((text) => text.replace('capacity: 20GB', 'capacity: plenty'), /stores\.hot\.capacity: found "plenty"; accepted: .*"500GB"/);
  await rejects((text) => text.replace('uiPort: auto', 'uiPort: 99999'), /temporal\.uiPort: found 99999; accepted: at most 65535/);
});

test('hours that are none are shown with what would be accepted', async () => {
  const scrubHours = (hours: string) => (text: string) => text.replace('policies:\n', `policies:\n  scrubHours: ${hours}\n`);
  await rejects(scrubHours('{ from: 10pm, to: 06:00 }'), /policies\.scrubHours\.from: found "10pm"; accepted: a time of day from "00:00" to "23:59"/);
  await rejects(
    scrubHours('{ from: 22:00, to: 06:00, timeZone: CEST }'),
    /policies\.scrubHours\.timeZone: found "CEST"; accepted: the IANA name.*\n.*docs\/configuration\.md/,
  );
  await rejects(scrubHours('{ from: 06:00, to: 06:00 }'), /policies\.scrubHours\.to: found "06:00"; accepted: another time than `from`/);
});

test('every wrong field is reported at once', async () => {
  await rejects((text) => text.replace('version: 1', 'version: 2').replace('name: embedded', 'name: ../up'), /version: found 2[\s\S]*name: found "\.\.\/up"/);
});

test('a missing field is named by its path', async () => {
  await rejects((text) => text.replace('rackRoot: racks', ''), /rackRoot: found nothing/);
});

test('broken YAML is reported with its line', async () => {
  await rejects((text) => `${text}\nname: [`, /not valid YAML.*line/s);
  await rejects((text) => `${text}\nname: twice\n`, /not valid YAML: Map keys must be unique/);
});

test('aliases that would grow a small file into gigabytes are refused', async () => {
  const levels = Array.from({ length: 9 }, (_, level) => {
    const items = level === 0 ? '"lol"' : Array.from({ length: 10 }, () => `*l${level - 1}`).join(', ');
    return `l${level}: &l${level} [${items}]`;
  });
  await rejects(() => levels.join('\n'), /Excessive alias count/);
});

test('a file beyond 1 MiB is refused before it is parsed', async () => {
  await rejects((text) => `${text}\n# ${'x'.repeat(1 << 20)}`, /more than 1048576/);
});

test('a file that is not there is named', async () => {
  await assert.rejects(loadSiteFile(join(directory, 'none.yaml')), /none\.yaml/);
});

test('a secret is read from the environment or from a file below the base directory', async () => {
  process.env['PENSTOCK_TEST_SECRET'] = 'from the environment';
  await writeFile(join(directory, 'key'), 'from a file\n');
  assert.equal(await resolveSecret('env:PENSTOCK_TEST_SECRET'), 'from the environment');
  assert.equal(await resolveSecret('file:key', directory), 'from a file');
  assert.equal(await resolveSecret(`file:${join(directory, 'key')}`), 'from a file');
});

test('a missing secret is named by its reference', async () => {
  await assert.rejects(resolveSecret('env:PENSTOCK_TEST_NOT_SET'), /env:PENSTOCK_TEST_NOT_SET is not set/);
  await assert.rejects(resolveSecret('file:absent', directory), /file:absent.*cannot be read/);
});

test('a value where a reference belongs is not repeated in the error', async () => {
  const rejected: unknown = await resolveSecret('hunter2').catch((error: unknown) => error);
  assert.ok(rejected instanceof Error && !rejected.message.includes('hunter2'));
});

async function rejects(change: (text: string) => string, expected: RegExp): Promise<void> {
  const file = join(directory, 'site.yaml');
  await writeFile(file, change(await readFile(embedded, 'utf8')));
  await assert.rejects(loadSiteFile(file), (error: unknown) => {
    assert.ok(error instanceof Error);
    assert.match(error.message, expected);
    return true;
  });
}
