/** What the hot tier must really do: one tree seen three ways, exports that end, floors that are never overcommitted, snapshots that stand still. */
import { readFile, symlink, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isType, messageOf, PenstockError } from '../../model/errors.ts';
import { formatBandwidth, formatBytes } from '../../model/quantity.ts';
import type { HotTier } from '../hot-tier/port.ts';
import type { Stores } from '../open-site.ts';
import { CannotTell, createProber, expect, type ProbeResult, type Prober, refusalOf } from './probe.ts';
import { PROBE_BUCKET } from './s3-target.ts';

const HELD_MS = 120_000;

interface HotProbe {
  readonly stores: Pick<Stores, 'hot' | 'hotFiles' | 'hotObjects'>;
  readonly owner: string;
  /** In the tree, without leading slash. */
  readonly directory: string;
  readonly prober: Prober;
}

export async function probeHotTier(stores: HotProbe['stores'], runId: string): Promise<readonly ProbeResult[]> {
  const directory = `${PROBE_BUCKET}/${runId}`;
  const probe: HotProbe = { stores, owner: `allocation/${PROBE_BUCKET}/probe/${runId}`, directory, prober: createProber('hot') };
  const { prober } = probe;
  await prober.needed('capacity', async () => {
    const { capacityBytes, usedBytes, reservedBytes, floorsBytesPerSecond } = await stores.hot.capacity();
    return `${formatBytes(capacityBytes)}, ${formatBytes(usedBytes)} used, ${formatBytes(reservedBytes)} reserved, floors of ${formatBandwidth(floorsBytesPerSecond)} granted`;
  });
  if (prober.results.some(({ works }) => works !== 'yes')) return prober.results;
  try {
    await prober.needed('files and S3 show one tree', () => oneTree(probe));
    await prober.needed('catalog', () => catalog(probe));
    await probeExports(probe);
    await prober.needed('reservation above capacity refused', () => reservation(probe));
    await prober.needed('snapshot is a point in time', () => snapshot(probe));
    await probeSymlinks(probe);
    await prober.needed('audit log', async () => {
      const entries = await stores.hot.auditLog(`/${directory}`);
      expect(entries.length > 0, 'nothing of this run is in it');
      return `${entries.length} entries of this run`;
    });
  } finally {
    await stores.hot.releaseHoldings(probe.owner, ['exports', 'snapshots', 'reservations']).catch(() => undefined);
    await stores.hotFiles.remove(directory).catch(() => undefined);
  }
  return prober.results;
}

async function oneTree({ stores, directory }: HotProbe): Promise<string> {
  await stores.hotFiles.ensureDirectory(directory);
  await stores.hotFiles.write(`${directory}/shared`, Buffer.from('one tree\n'), { replace: true });
  const [bucket = '', ...rest] = `${directory}/shared`.split('/');
  const read = await stores.hotObjects.readBytes(bucket, rest.join('/'));
  expect(read.toString() === 'one tree\n', 'S3 shows other bytes than were written as a file');
  return 'a file written by a mover was read over S3';
}

async function catalog({ stores, directory }: HotProbe): Promise<string> {
  const found = await stores.hot.locate(`/${directory}`);
  expect(found.files === 1 && found.hotFiles === 1, `one file was written, the catalog knows ${found.files}`);
  const absent = await stores.hot.locate(`/${directory}/absent`);
  expect(absent.files === 0, 'it knows files below a path that does not exist');
  return `${found.hotFiles} file, ${formatBytes(found.hotBytes)} hot, as was written`;
}

async function probeExports({ stores: { hot }, owner, directory, prober }: HotProbe): Promise<void> {
  const exportsOf = async (tier: HotTier) => (await tier.holdings(owner)).exports;
  const created = async () =>
    (await exportsOf(hot))[0] ??
    hot.createExport({
      owner,
      key: `${owner}#export`,
      path: `/${directory}`,
      access: 'read-only',
      clients: [PROBE_BUCKET],
      qos: { floorBytesPerSecond: 0, ceilingBytesPerSecond: 0 },
      expiresAt: new Date(Date.now() + HELD_MS).toISOString(),
    });
  await prober.needed('export is created', async () => {
    const { exportId, nfs } = await created();
    expect(
      (await exportsOf(hot)).some((each) => each.exportId === exportId),
      'it is not among what its owner holds',
    );
    return `${exportId}, ${nfs ? `NFS ${nfs.address}:${nfs.path} port ${nfs.port}` : 'without NFS'}`;
  });
  await prober.needed('floor above capacity refused', async () => {
    const { exportId } = await created();
    const { readBytesPerSecond } = await hot.capacity();
    const error = await refusalOf(
      () => hot.setQos(exportId, { floorBytesPerSecond: readBytesPerSecond + 1, ceilingBytesPerSecond: 0 }),
      `a floor above ${formatBandwidth(readBytesPerSecond)} was granted`,
    );
    expect(isType(error, 'FloorUnavailable'), `failed otherwise: ${messageOf(error)}`);
    const [held] = await exportsOf(hot);
    expect(held?.qos.floorBytesPerSecond === 0, 'refused, and granted all the same');
    return `FloorUnavailable above ${formatBandwidth(readBytesPerSecond)}, the old policy is in force`;
  });
  await prober.needed('export is revoked', async () => {
    const { exportId } = await created();
    await hot.releaseHoldings(owner, ['exports']);
    expect((await exportsOf(hot)).length === 0, 'it is still held');
    const error = await refusalOf(() => hot.setQos(exportId, { floorBytesPerSecond: 0, ceilingBytesPerSecond: 0 }), 'its policy could still be changed');
    expect(isType(error, 'NotFound'), `failed otherwise: ${messageOf(error)}`);
    return 'NotFound afterwards';
  });
}

async function reservation({ stores: { hot }, owner, directory }: HotProbe): Promise<string> {
  const { capacityBytes } = await hot.capacity();
  const error = await refusalOf(
    () =>
      hot.reserve({ owner, key: `${owner}#reserve`, path: `/${directory}`, bytes: capacityBytes + 1, expiresAt: new Date(Date.now() + HELD_MS).toISOString() }),
    'more than the whole tier was promised',
  );
  expect(isType(error, 'OutOfSpace'), `failed otherwise: ${messageOf(error)}`);
  return 'OutOfSpace';
}

async function snapshot({ stores: { hot, hotFiles }, owner, directory }: HotProbe): Promise<string> {
  const path = `${directory}/frozen`;
  await hotFiles.ensureDirectory(path);
  await hotFiles.write(`${path}/file`, Buffer.from('before'), { replace: true });
  const taken = await hot.createSnapshot({ owner, key: `${owner}#snapshot`, path: `/${path}`, expiresAt: new Date(Date.now() + HELD_MS).toISOString() });
  await hotFiles.write(`${path}/file`, Buffer.from('after!'), { replace: true });
  const content = await readFile(join(taken.contentPath, 'file'), 'utf8').catch(() => {
    throw new CannotTell('its content cannot be seen from this machine');
  });
  expect(content === 'before', 'a later write shows in it');
  return 'a later write does not show in it';
}

/** A link that a tenant plants must not lead out of the tree, over S3 or for movers. */
async function probeSymlinks({ stores: { hotFiles, hotObjects }, directory, prober }: HotProbe): Promise<void> {
  const outside = join(tmpdir(), `${directory.replaceAll('/', '-')}-outside`);
  const link = `${directory}/link`;
  const plant = async () => {
    await writeFile(outside, 'outside\n');
    await symlink(outside, join(hotFiles.root, link)).catch((error: unknown) => {
      if (!(error instanceof Error && error.message.startsWith('EEXIST'))) throw new CannotTell('no link can be planted from this machine');
    });
  };
  try {
    await prober.needed('symlink escape over S3 refused', async () => {
      await plant();
      const [bucket = '', ...rest] = link.split('/');
      const error = await refusalOf(() => hotObjects.readBytes(bucket, rest.join('/')), 'a link in the tree served a file outside of it');
      // Only beside a file that is served does it prove anything that the link is not.
      await hotObjects.readBytes(bucket, [...rest.slice(0, -1), 'shared'].join('/'));
      return `the file beside the link is served, the link is not (${typeOf(error)})`;
    });
    await prober.needed('symlink escape for movers refused', async () => {
      await plant();
      return typeOf(await refusalOf(() => hotFiles.readBytes(link), 'a mover followed a link out of the tree'));
    });
  } finally {
    await unlink(outside).catch(() => undefined);
  }
}

const typeOf = (error: unknown): string => (error instanceof PenstockError ? error.type : 'refused');
