/** A node's logs, from its own storage to the archive and back by byte and by time. */
import assert from 'node:assert/strict';
import { appendFile, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { type ArchiveNodeLogsOptions, archiveNodeLogs } from '../../datapath/logs/archive-node-logs.ts';
import { closeLogMetadata } from '../../datapath/logs/close-log-metadata.ts';
import { chunksNamed, readLogBytes, readLogMetadata, readLogTime } from '../../datapath/logs/read-logs.ts';
import { createPosixFileStore } from '../../drivers/file-store/posix.ts';
import type { ObjectStore } from '../../drivers/object-store/port.ts';
import type { LogStream } from '../../model/log-metadata.ts';
import { startTestGateway, type TestGateway } from '../support/s3-gateway.ts';

let gateway: TestGateway;
let root: string;
let serial = 0;

before(async () => {
  gateway = await startTestGateway();
  root = await mkdtemp(join(tmpdir(), 'penstock-logs-'));
  await gateway.store.ensureBucket('acme');
});
after(async () => {
  await gateway.stop();
  await rm(root, { recursive: true, force: true });
});

const CHUNK_BYTES = 1000;
const allocation = { tenant: 'acme', project: 'climate', allocationId: 'a1' };
const lineAt = (minute: number) => `2026-03-04T05:${String(minute).padStart(2, '0')}:00Z step ${minute} ${'.'.repeat(60)}\n`;
const minutes = Array.from({ length: 60 }, (_, minute) => minute);

async function newNode(logs: Readonly<Record<string, string | Buffer>>) {
  serial += 1;
  const directory = `alloc-${serial}/logs`;
  await mkdir(join(root, directory), { recursive: true });
  for (const [name, content] of Object.entries(logs)) await writeFile(join(root, directory, name), content);
  const options: ArchiveNodeLogsOptions = {
    source: createPosixFileStore({ name: 'node n001', root }),
    directory,
    nodeId: 'n001',
    store: gateway.store,
    bucket: 'acme',
    prefix: `climate/a${serial}/logs/`,
    chunkBytes: CHUNK_BYTES,
  };
  return { options, onDisk: join(root, directory) };
}
async function text(pieces: AsyncIterable<Buffer>): Promise<string> {
  const all: Buffer[] = [];
  for await (const piece of pieces) all.push(piece);
  return Buffer.concat(all).toString('latin1');
}
async function closed(options: ArchiveNodeLogsOptions, store: ObjectStore = gateway.store) {
  const place = { store, bucket: options.bucket, prefix: options.prefix };
  await closeLogMetadata({ ...place, store: gateway.store, allocation, nodes: ['n001'] });
  const metadata = await readLogMetadata({ ...place, store: gateway.store });
  const chunks = (stream: LogStream) => chunksNamed(place, metadata, 'n001', stream);
  return { place, metadata, chunks };
}

describe('an archived log', () => {
  it('lies in the layout of the specification, compressed, and is the log byte for byte', async () => {
    const log = minutes.map(lineAt).join('');
    const { options } = await newNode({ 'stdout.log': log, 'stderr.log': 'one line without an end' });
    const archived = await archiveNodeLogs(options);
    assert.deepEqual([archived.rawBytes, archived.missing], [log.length + 23, []]);
    const { place, chunks } = await closed(options);
    assert.equal(await text(readLogBytes(place, chunks('stdout'))), log);
    assert.equal(await text(readLogBytes(place, chunks('stderr'))), 'one line without an end');
    const keys = (await gateway.store.list('acme', options.prefix)).entries.map((each) => each.key.slice(options.prefix.length));
    const stdoutChunks = Array.from({ length: archived.chunks - 1 }, (_, index) => `stdout/n001/chunk_${String(index).padStart(3, '0')}.log.zst`);
    assert.deepEqual(keys, ['.index/n001.json', 'metadata.json', 'stderr/n001/chunk_000.log.zst', ...stdoutChunks]);
  });

  it('is read by byte range and by time range, touching only the chunks that hold it', async () => {
    const log = minutes.map(lineAt).join('');
    const { options } = await newNode({ 'stdout.log': log });
    await archiveNodeLogs(options);
    const touched: string[] = [];
    const watching: ObjectStore = {
      ...gateway.store,
      readBytes: (bucket, key, read) => {
        touched.push(key);
        return gateway.store.readBytes(bucket, key, read);
      },
    };
    const { place, chunks } = await closed(options, watching);
    assert.equal(await text(readLogBytes(place, chunks('stdout'), { start: 1990, end: 2010 })), log.slice(1990, 2011));
    assert.ok(touched.length <= 2, `${touched}`);
    touched.length = 0;
    const range = { from: '2026-03-04T05:30:00Z', to: '2026-03-04T05:31:59Z' };
    assert.equal(await text(readLogTime(place, chunks('stdout'), range)), lineAt(30) + lineAt(31));
    assert.ok(touched.length <= 2, `${touched}`);
    assert.equal(await text(readLogTime(place, chunks('stdout'), { from: '2027-01-01T00:00:00Z', to: '2028-01-01T00:00:00Z' })), '');
  });

  it('gives a line without a time to the one before it, also over the end of a chunk', async () => {
    const trace = `${'\tat somewhere\n'.repeat(150)}`;
    const { options } = await newNode({ 'stdout.log': `${lineAt(1) + trace + lineAt(2)}${'x'.repeat(2500)}\n${lineAt(3)}` });
    await archiveNodeLogs(options);
    const { place, chunks } = await closed(options);
    const at = (minute: number) => readLogTime(place, chunks('stdout'), { from: `2026-03-04T05:0${minute}:00Z`, to: `2026-03-04T05:0${minute}:30Z` });
    assert.equal(await text(at(1)), lineAt(1) + trace);
    assert.equal(await text(at(2)), `${lineAt(2)}${'x'.repeat(2500)}\n`);
    assert.equal(await text(at(3)), lineAt(3));
  });

  it('may hold any bytes and lines of any length', async () => {
    const bytes = Buffer.concat([Buffer.alloc(3500, 0xff), Buffer.from('\n\n'), Buffer.from([0, 0x80, 0xc3, 0x28, 0x0a])]);
    const { options } = await newNode({ 'stdout.log': bytes, 'stderr.log': '' });
    const archived = await archiveNodeLogs(options);
    assert.equal(archived.chunks, 4);
    const { place, chunks } = await closed(options);
    assert.equal(await text(readLogBytes(place, chunks('stdout'))), bytes.toString('latin1'));
    assert.equal(await text(readLogBytes(place, chunks('stderr'))), '');
  });
});

describe('archiving', () => {
  it('may be repeated, also after the log grew: what was shipped is not shipped again', async () => {
    const { options, onDisk } = await newNode({ 'stdout.log': minutes.slice(0, 30).map(lineAt).join('') });
    const first = await archiveNodeLogs(options);
    assert.deepEqual(await archiveNodeLogs(options), first);
    await appendFile(join(onDisk, 'stdout.log'), minutes.slice(30).map(lineAt).join(''));
    await Promise.all([archiveNodeLogs(options), archiveNodeLogs(options)]);
    const { place, chunks } = await closed(options);
    assert.equal(await text(readLogBytes(place, chunks('stdout'))), minutes.map(lineAt).join(''));
  });

  it('says which stream is missing and why, and never follows a link a job planted', async () => {
    const { options, onDisk } = await newNode({});
    await symlink('/etc/passwd', join(onDisk, 'stderr.log'));
    const archived = await archiveNodeLogs(options);
    assert.deepEqual([archived.chunks, archived.missing], [0, ['stdout', 'stderr']]);
    const { metadata } = await closed(options);
    const [node] = metadata.nodes;
    assert.deepEqual(
      node?.streams.map((stream) => stream.state),
      ['missing', 'missing'],
    );
    assert.match(JSON.stringify(node), /no such file/);
    assert.match(JSON.stringify(node), /symbolic link/);
  });

  it('is closed with every node, also those whose logs are lost, and again when one comes late', async () => {
    const { options } = await newNode({ 'stdout.log': lineAt(1) });
    await archiveNodeLogs(options);
    const close = (nodes: readonly string[]) =>
      closeLogMetadata({
        store: gateway.store,
        bucket: 'acme',
        prefix: options.prefix,
        allocation,
        nodes,
        missing: [{ nodeId: 'n002', reason: 'The node does not answer.' }],
      });
    const summary = await close(['n001', 'n002', 'n003']);
    assert.deepEqual([summary.chunks, summary.rawBytes, summary.missingNodes], [1, lineAt(1).length, ['n002', 'n003']]);
    const metadata = await readLogMetadata({ store: gateway.store, bucket: 'acme', prefix: options.prefix });
    assert.deepEqual(
      metadata.nodes.map((node) => node.missing),
      [undefined, 'The node does not answer.', 'Its logs were not archived.'],
    );
    const place = { store: gateway.store, bucket: 'acme', prefix: options.prefix };
    assert.throws(() => chunksNamed(place, metadata, 'n002', 'stdout'), { name: 'NotFound', message: /The node does not answer/ });
    assert.throws(() => chunksNamed(place, metadata, 'n009', 'stdout'), { name: 'NotFound', message: /found n009; accepted: n001, n002, n003/ });
    await archiveNodeLogs({ ...options, nodeId: 'n002' });
    assert.deepEqual((await close(['n001', 'n002', 'n003'])).missingNodes, ['n003']);
  });

  it('of a damaged chunk is found when it is read', async () => {
    const { options } = await newNode({ 'stdout.log': lineAt(1) });
    await archiveNodeLogs(options);
    const { place, chunks } = await closed(options);
    await gateway.store.writeBytes('acme', `${options.prefix}stdout/n001/chunk_000.log.zst`, Buffer.from('not zstd'));
    await assert.rejects(text(readLogBytes(place, chunks('stdout'))), { name: 'CorruptSource' });
  });
});
