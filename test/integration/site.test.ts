/** The embedded site as a whole: real Temporal, real S3 gateways and, where Ganesha is installed, real NFS. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { networkInterfaces, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { CreateBucketCommand, GetObjectCommand, ListObjectsV2Command, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { Connection } from '@temporalio/client';
import { isAlive } from '../../dev/process-identity.ts';
import { siteStatus } from '../../dev/site/background.ts';
import { syncNfsExports } from '../../dev/site/nfs-exports.ts';
import { isFree, listensBeyondLoopback } from '../../dev/site/ports.ts';
import { type RunningSite, startSite } from '../../dev/site/start-site.ts';
import { readState, type SiteState } from '../../dev/site/state.ts';
import { findTool } from '../../dev/toolchain/find-tool.ts';
import { resolveTool } from '../../dev/toolchain/resolve-tool.ts';
import { loadSiteFile, resolveSecret } from '../../drivers/site-file.ts';
import { eventually } from '../support/wait.ts';

const run = promisify(execFile);
const configFile = join(dirname(fileURLToPath(import.meta.url)), '../../temporal-dev.yaml');
const services = ['temporal', 's3', 'nfs', 'hot-tier'] as const;
const isContinuousIntegration = process.env['CI'] === 'true';
/** In CI NFS is never skipped: what is missing is installed, or the test fails. */
const toolsForNfs = ['ganesha', 'nfs-ls', 'nfs-cat'] as const;
const hasNfs = isContinuousIntegration || (process.getuid?.() === 0 && (await Promise.all(toolsForNfs.map((name) => findTool(name)))).every(Boolean));

const nfsNeeded = { skip: hasNfs ? false : 'ganesha.nfsd, nfs-ls and nfs-cat are needed, and root' };

let root = '';
let left: RunningSite;
let right: RunningSite;

before(async () => {
  root = await mkdtemp(join(tmpdir(), 'penstock-sites-'));
  if (isContinuousIntegration) for (const tool of toolsForNfs) await resolveTool(tool);
  [left, right] = await Promise.all([start('left'), start('right')]);
});
after(async () => {
  await Promise.all([left, right].map(async (site: RunningSite | undefined) => site?.stop()));
  await rm(root, { recursive: true });
});

test('two sites run side by side on ports of their own', async () => {
  const [leftPorts, rightPorts] = [portsOf(await stateOf(left)), portsOf(await stateOf(right))];
  assert.equal(new Set([...leftPorts, ...rightPorts]).size, leftPorts.length + rightPorts.length);
  assert.equal((await fetch(`${left.uiUrl}/`)).status, 200);
  assert.deepEqual(await loadSiteFile(left.siteFile), left.site);
});

test('a second site in the same directory is refused', async () => {
  await assert.rejects(start('left'), /a site already runs in .*left/);
});

test('Temporal knows the search attributes of the site file', async () => {
  const names = await searchAttributes(left);
  for (const name of ['tenant', 'project', 'allocationId', 'phase', 'sensitivity', 'rack']) assert.ok(names.includes(name), name);
});

test('what one site stores over S3, only that site serves', async () => {
  for (const site of [left, right]) {
    const s3 = await s3Client(site);
    await s3.send(new PutObjectCommand({ Bucket: 'training-data', Key: 'set/file', Body: `of ${site.directory}`, ChecksumAlgorithm: 'CRC32C' }));
  }
  for (const site of [left, right]) {
    const found = await (await s3Client(site)).send(new GetObjectCommand({ Bucket: 'training-data', Key: 'set/file', ChecksumMode: 'ENABLED' }));
    assert.equal(await found.Body?.transformToString(), `of ${site.directory}`);
  }
});

test('a bucket that is a plain directory takes objects, on each rack', async () => {
  const s3 = await s3Client(left, 'racks');
  const { bucket } = left.site.erasureSet.racks.at(-1) ?? assert.fail();
  await s3.send(new PutObjectCommand({ Bucket: bucket, Key: 'shard', Body: 'cells' }));
  assert.equal(await readFile(join(left.directory, 's3/racks', bucket, 'shard'), 'utf8'), 'cells');
});

test('the cold store creates buckets with Object Lock', async () => {
  const s3 = await s3Client(left, 'cold');
  await s3.send(new CreateBucketCommand({ Bucket: 'archive', ObjectLockEnabledForBucket: true }));
  const { VersionId } = await s3.send(new PutObjectCommand({ Bucket: 'archive', Key: 'record', Body: 'kept' }));
  assert.ok(VersionId);
});

test('a symbolic link in the hot tree that leads outside is neither listed nor served over S3', async () => {
  const outside = join(root, 'outside');
  await mkdir(outside, { recursive: true });
  await writeFile(join(outside, 'secret'), 'secret');
  const tree = join(left.site.stores.hot.root, 'training-data');
  await mkdir(join(tree, 'links'), { recursive: true });
  await symlink(join(outside, 'secret'), join(tree, 'links/file'));
  await symlink(outside, join(tree, 'links/directory'));
  await writeFile(join(tree, 'links/regular'), 'regular');

  const s3 = await s3Client(left);
  const listed = await s3.send(new ListObjectsV2Command({ Bucket: 'training-data', Prefix: 'links/' }));
  assert.deepEqual(
    listed.Contents?.map(({ Key }) => Key),
    ['links/regular'],
  );
  for (const key of ['links/file', 'links/directory/secret']) {
    await assert.rejects(s3.send(new GetObjectCommand({ Bucket: 'training-data', Key: key })), key);
    await assert.rejects(s3.send(new PutObjectCommand({ Bucket: 'training-data', Key: 'links/directory/planted', Body: 'x' })));
  }
  await assert.rejects(stat(join(outside, 'planted')));
});

for (const [mount, reason] of [
  ['exit 1', 'a bind mount is not allowed here'],
  ['exit 0', 'the bind mount does not show the tree'],
  ['exec /bin/mount $(echo "$@" | sed s/,nosymfollow//)', 'follows symbolic links'],
] as const) {
  test(`a hot gateway that could follow links does not start: ${reason}`, async () => {
    const binaries = await mkdtemp(join(root, 'bin-'));
    await writeFile(join(binaries, 'mount'), `#!/bin/sh\n${mount}\n`, { mode: 0o755 });
    const path = process.env['PATH'];
    process.env['PATH'] = `${binaries}:${path}`;
    try {
      await assert.rejects(
        startSite({ configFile, directory: join(root, 'unsafe'), log: () => undefined, services: ['s3'] }),
        new RegExp(`cannot serve .* safely over S3: .*${reason}`),
      );
    } finally {
      process.env['PATH'] = path;
    }
  });
}

test('the gateway leaves no mount behind', async () => {
  assert.ok(!(await readFile('/proc/mounts', 'utf8')).includes(root));
});

test('what S3 wrote, NFS reads', nfsNeeded, async () => {
  const s3 = await s3Client(left);
  await s3.send(new PutObjectCommand({ Bucket: 'training-data', Key: 'shared/file', Body: 'over both' }));
  const url = (path: string) => nfsUrl(left, `hot/${path}`);
  const list = await resolveTool('nfs-ls');
  const cat = await resolveTool('nfs-cat');
  assert.match((await run(list.path, [url('training-data/shared')])).stdout, / file$/m);
  assert.equal((await run(cat.path, [url('training-data/shared/file')])).stdout, 'over both');
});

test('NFS serves an export only while it stands, to loopback only', nfsNeeded, async () => {
  const control = left.nfsExports ?? assert.fail('no NFS');
  const cat = await resolveTool('nfs-cat');
  const read = (path: string) =>
    run(cat.path, [nfsUrl(left, path)]).then(
      ({ stdout }) => stdout,
      () => 'refused',
    );
  const path = join(left.site.stores.hot.root, 'training-data');
  await writeFile(join(path, 'exported'), 'exported');
  await syncNfsExports(control, [
    { name: 'one', path, access: 'read-only' },
    { name: 'two', path, access: 'read-write' },
  ]);
  await eventually('the export', async () => ((await read('exports/two/exported')) === 'exported' ? true : undefined), 5000);
  assert.equal(await read('exports/one/exported'), 'exported');
  await syncNfsExports(control, [{ name: 'two', path, access: 'read-write' }]);
  await eventually('the export to be gone', async () => ((await read('exports/one/exported')) === 'refused' ? true : undefined), 5000);
  assert.equal(await read('exports/two/exported'), 'exported');
  await left.service('nfs').restart();
  assert.equal(await read('exports/two/exported'), 'exported');

  const outside = Object.values(networkInterfaces())
    .flat()
    .find((found) => found?.family === 'IPv4' && !found.internal);
  if (outside)
    assert.equal(
      await run(cat.path, [nfsUrl(left, 'exports/two/exported', outside.address)]).then(
        () => 'served',
        () => 'refused',
      ),
      'refused',
    );
});

test('every other port is on loopback only', async () => {
  for (const [name, port] of Object.entries((await stateOf(left)).ports)) if (name !== 'nfs') assert.ok(!listensBeyondLoopback(port), name);
});

test('Temporal killed and restarted is at the same address, with its database', async () => {
  const { address, namespace } = left.site.temporal;
  const temporal = left.service('temporal');
  const before = temporal.pid;
  await temporal.kill('SIGKILL');
  await temporal.restart();
  assert.notEqual(temporal.pid, before);
  assert.equal((await stateOf(left)).services.find(({ name }) => name === 'temporal')?.process.pid, temporal.pid);
  const connection = await Connection.connect({ address });
  await connection.workflowService.describeNamespace({ namespace });
  await connection.close();
});

test('a gateway killed and restarted serves what it had, at the same address', async () => {
  await left.service('s3-hot').kill('SIGKILL');
  await left.service('s3-hot').restart();
  const found = await (await s3Client(left)).send(new GetObjectCommand({ Bucket: 'training-data', Key: 'set/file' }));
  assert.equal(await found.Body?.transformToString(), `of ${left.directory}`);
});

test('a stopped site leaves no process and no port', async () => {
  const state = await stateOf(right);
  await right.stop();
  for (const { name, process } of state.services) assert.ok(!isAlive(process), name);
  for (const port of portsOf(state)) assert.ok(await isFree(port), String(port));
  assert.equal((await siteStatus(right.directory)).phase, 'down');
});

test('a stopped site comes up again with its ports, keys and data', async () => {
  const { siteFile, site } = right;
  right = await start('right');
  assert.deepEqual([right.siteFile, right.site], [siteFile, site]);
  const found = await (await s3Client(right)).send(new GetObjectCommand({ Bucket: 'training-data', Key: 'set/file' }));
  assert.equal(await found.Body?.transformToString(), `of ${right.directory}`);
});

test('a search attribute added to the site file is added to a namespace that exists', async () => {
  const directory = join(root, 'grown');
  const grownFile = join(root, 'grown.yaml');
  await writeFile(grownFile, await readFile(configFile, 'utf8'));
  const first = await startSite({ configFile: grownFile, directory, log: () => undefined, services: ['temporal'] });
  await first.stop();
  await writeFile(grownFile, (await readFile(configFile, 'utf8')).replace('    tenant: Keyword\n', '    tenant: Keyword\n    reason: Text\n'));
  const second = await startSite({ configFile: grownFile, directory, log: () => undefined, services: ['temporal'] });
  assert.ok((await searchAttributes(second)).includes('reason'));
  await second.stop();
});

test('a service that cannot start is reported with its last lines, and nothing stays behind', async () => {
  const directory = join(root, 'broken');
  await mkdir(join(directory, 'temporal.db'), { recursive: true }); // a directory where the database file belongs
  await assert.rejects(
    startSite({ configFile, directory, log: () => undefined, services: ['temporal', 's3'] }),
    /temporal ended while starting[\s\S]*temporal\.log:\n.*\S/,
  );
  assert.equal((await siteStatus(directory)).phase, 'down');
  assert.equal(await countProcesses(directory), 0);
});

function start(name: string): Promise<RunningSite> {
  return startSite({ configFile, directory: join(root, name), log: () => undefined, services });
}

function nfsUrl(site: RunningSite, path: string, host = '127.0.0.1'): string {
  const port = site.site.stores.hot.nfs?.port;
  return `nfs://${host}/${path}?nfsport=${port}&mountport=${port}&version=4`;
}

async function s3Client(site: RunningSite, store: 'hot' | 'warm' | 'cold' | 'racks' = 'hot'): Promise<S3Client> {
  const access = store === 'hot' ? site.site.stores.hot.s3 : site.site.stores[store];
  return new S3Client({
    endpoint: access.endpoint,
    region: access.region,
    forcePathStyle: true,
    maxAttempts: 1,
    credentials: {
      accessKeyId: await resolveSecret(access.credentials?.accessKeyId ?? ''),
      secretAccessKey: await resolveSecret(access.credentials?.secretAccessKey ?? ''),
    },
  });
}

async function searchAttributes(site: RunningSite): Promise<string[]> {
  const { address, namespace } = site.site.temporal;
  const connection = await Connection.connect({ address });
  const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace });
  await connection.close();
  return Object.keys(customAttributes);
}

async function stateOf(site: RunningSite): Promise<SiteState> {
  return (await readState(join(site.directory, 'state.json'))) ?? assert.fail('no state.json');
}

const portsOf = (state: SiteState): number[] => Object.values(state.ports);

/** Processes that name the directory on their command line. */
async function countProcesses(directory: string): Promise<number> {
  const { stdout } = await run('ps', ['-eo', 'args']);
  return stdout.split('\n').filter((line) => line.includes(directory)).length;
}
