import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { layOut, withAbsolutePaths } from '../../../dev/site/layout.ts';
import { renderNfsExport } from '../../../dev/site/nfs-exports.ts';
import { ganeshaConfiguration } from '../../../dev/site/nfs-server.ts';
import { freePort, isFree, listensOn, releasePort } from '../../../dev/site/ports.ts';
import { renderSiteFile, resolveSite } from '../../../dev/site/resolve-site.ts';
import { gatewayFlags } from '../../../dev/site/s3-gateway.ts';
import { temporalFlags } from '../../../dev/site/temporal-server.ts';
import { loadSiteFile } from '../../../drivers/site-file.ts';
import { AuditSettingsSchema } from '../../../model/audit-settings.ts';
import { SiteSchema } from '../../../model/site.ts';

const embedded = join(dirname(fileURLToPath(import.meta.url)), '../../../temporal-dev.yaml');
const gateway = {
  name: 's3-hot',
  binary: 'versitygw',
  root: '/site/hot',
  port: 20001,
  region: 'us-east-1',
  accessKeyId: 'THEKEY',
  secretAccessKey: 'THESECRET',
};

test("Temporal's flags come from the site file", async () => {
  const { temporal: settings } = await loadSiteFile(embedded);
  const flags = temporalFlags({ binary: 'temporal', settings, databaseFile: '/site/temporal.db', ports: { frontend: 1, ui: 2, http: 3, metrics: 4 } }).join(
    ' ',
  );
  assert.match(
    flags,
    /^server start-dev --ip 127\.0\.0\.1 --port 1 --ui-port 2 --http-port 3 --metrics-port 4 --namespace default --db-filename \/site\/temporal\.db/,
  );
  assert.match(flags, /--sqlite-pragma journal_mode=wal --sqlite-pragma synchronous=normal/);
  assert.match(flags, /--search-attribute allocationId=Keyword .*--search-attribute rack=KeywordList/);
});

test('a gateway listens on loopback only, and its keys are not on its command line', () => {
  const flags = gatewayFlags({ ...gateway, versioningDirectory: '/site/versions' });
  assert.equal(flags[flags.indexOf('--port') + 1], '127.0.0.1:20001');
  assert.deepEqual(flags.slice(-3), ['--versioning-dir', '/site/versions', '/site/hot']);
  assert.ok(!flags.some((flag) => flag.includes('THEKEY') || flag.includes('THESECRET')));
});

test('the hot gateway serves the view without links, never the tree itself', () => {
  const flags = gatewayFlags({ ...gateway, mountWithoutLinks: '/site/view' });
  assert.equal(flags.at(-1), '/site/view');
  assert.ok(!flags.includes('/site/hot'));
});

test('NFS is version 4 on loopback, without the services that need a port mapper', () => {
  const configuration = ganeshaConfiguration({
    binary: 'ganesha.nfsd',
    directory: '/site/nfs',
    exportedTree: '/site/hot',
    exportsDirectory: '/site/nfs/exports',
    pidFile: '/site/nfs/pid',
    port: 20002,
  });
  for (const line of [
    'Bind_addr = 127.0.0.1;',
    'NFS_Port = 20002;',
    'Protocols = 4;',
    'Enable_NLM = false;',
    'Enable_UDP = false;',
    'Path = "/site/hot";',
    'Pseudo = /hot;',
  ]) {
    assert.ok(configuration.includes(line), line);
  }
  assert.match(configuration, /Access_Type = None;\s*CLIENT \{ Clients = 127\.0\.0\.1, ::1; Access_Type = RW; \}/);
});

test('an NFS export cannot be given a name or path that would end its block', () => {
  assert.throws(() => renderNfsExport({ name: 'a', path: '/a"; }', access: 'read-only' }, 100), /cannot export/);
  assert.throws(() => renderNfsExport({ name: 'a; }', path: '/a', access: 'read-only' }, 100), /no name for an NFS export/);
  assert.match(renderNfsExport({ name: 'a', path: '/a', access: 'read-only' }, 100), /Access_Type = RO/);
});

test('the resolved site file has addresses in place of "embedded", references in place of keys, and is valid', async () => {
  const wanted = await loadSiteFile(embedded);
  const config = withAbsolutePaths(wanted, layOut('/site', wanted));
  const secret = (name: string) => ({ value: `value of ${name}`, reference: `file:/site/secrets/${name}` });
  const started = (port: number) => ({ port, credentials: { accessKeyId: secret('id'), secretAccessKey: secret('key') } });
  const text = renderSiteFile(
    resolveSite(
      { ...config, audit: AuditSettingsSchema.parse({ bucket: 'audit', key: 'embedded', witnessKey: 'embedded' }) },
      {
        temporal: { frontend: 1, ui: 2, http: 3, metrics: 4 },
        gateways: { hot: started(5), warm: started(6), cold: started(7), racks: started(8) },
        nfsPort: 9,
        management: { port: 10, tokenReference: 'file:/site/secrets/token' },
        auditKeys: { key: 'file:/site/secrets/audit', witnessKey: 'file:/site/secrets/witness' },
      },
    ),
  );
  assert.deepEqual(text.match(/^.*: embedded$/gm), ['name: embedded']);
  assert.ok(!text.includes('value of'));
  const site = SiteSchema.parse(parse(text));
  assert.equal(site.temporal.address, '127.0.0.1:1');
  assert.equal(site.stores.cold.endpoint, 'http://127.0.0.1:7');
  assert.deepEqual(site.stores.hot.nfs, { enabled: true, address: '127.0.0.1', port: 9 });
  assert.equal(site.stores.hot.management.endpoint, 'http://127.0.0.1:10');
  assert.deepEqual(site.stores.hot.s3.credentials, { accessKeyId: 'file:/site/secrets/id', secretAccessKey: 'file:/site/secrets/key' });
  assert.deepEqual([site.audit?.key, site.audit?.witnessKey], ['file:/site/secrets/audit', 'file:/site/secrets/witness']);
  assert.equal(site.nodes[0]?.localRoot, '/site/nodes/n001');
});

test('NFS that was not started is switched off in the resolved site file', async () => {
  const wanted = await loadSiteFile(embedded);
  assert.equal(resolveSite(wanted, { gateways: {} }).stores.hot.nfs?.enabled, false);
});

test('a free port is given once, and whose socket listens on it is known', async () => {
  const port = await freePort();
  assert.notEqual(await freePort(port), port);
  assert.equal(await listensOn(process.pid, port), false, 'nobody listens yet');
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  assert.equal(await isFree(port), false);
  assert.equal(await listensOn(process.pid, port), true);
  assert.equal(await listensOn(process.ppid, port), false);
  server.close();
  releasePort(port);
});
