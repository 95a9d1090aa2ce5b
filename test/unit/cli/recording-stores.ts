/** Stores that write down what they are asked, and answer as a fresh site with one warm data set would. */
import { PassThrough, Readable } from 'node:stream';
import type { FileStore } from '../../../drivers/file-store/port.ts';
import type { Export, HotTier } from '../../../drivers/hot-tier/port.ts';
import type { ObjectStore } from '../../../drivers/object-store/port.ts';
import type { Stores } from '../../../drivers/open-site.ts';
import { PenstockError } from '../../../model/errors.ts';
import type { Site } from '../../../model/site.ts';

export interface Contents {
  /** Keys and sizes by bucket. */
  readonly warm?: Readonly<Record<string, Readonly<Record<string, number>>>>;
  readonly cold?: Contents['warm'];
  /** Bytes and files at the hot tier's origin, by path. */
  readonly remote?: Readonly<Record<string, number>>;
  readonly hotCapacityBytes?: number;
}

/** Each call as `store.method subject`. */
export function recordingStores(site: Site, contents: Contents = {}): { stores: Stores; calls: string[] } {
  const calls: string[] = [];
  const note: Note = (action, subject, answer) => {
    calls.push(`${action} ${subject}`);
    return answer;
  };
  const stores: Stores = {
    site,
    hot: recordingHotTier(note, contents),
    hotFiles: recordingFiles('hotFiles', note),
    hotObjects: recordingObjects('hotObjects', note, {}),
    warm: recordingObjects('warm', note, contents.warm ?? {}),
    cold: recordingObjects('cold', note, contents.cold ?? {}),
    coldTier: { name: 'cold', state: async () => ({ kind: 'readable' }), restore: async () => 'readable' },
    external: new Map(),
    shardRacks: [],
    replicaRacks: () => Promise.resolve([]),
    shardObjects: recordingObjects('racks', note, {}),
    rackFiles: () => recordingFiles('rack', note),
    nodeFiles: () => recordingFiles('node', note),
  };
  return { stores, calls };
}

/** Writes the call down and hands its answer on. */
type Note = <T>(action: string, subject: string, answer: T) => T;

function recordingHotTier(note: Note, contents: Contents): HotTier {
  const exportOf = (exportId: string, known: Partial<Export> = {}): Export => ({
    exportId,
    owner: 'o',
    key: 'k',
    path: '/',
    access: 'read-only',
    clients: [],
    expiresAt: 'later',
    qos: { floorBytesPerSecond: 0, ceilingBytesPerSecond: 0 },
    s3: { endpoint: 'e', bucket: 'b', prefix: 'p' },
    ...known,
  });
  return {
    name: 'hot',
    capacity: async () => {
      note('hot.capacity', 'hot', undefined);
      return {
        capacityBytes: contents.hotCapacityBytes ?? 20e9,
        usedBytes: 0,
        reservedBytes: 0,
        writeBytesPerSecond: 1e9,
        readBytesPerSecond: 2e9,
        floorsBytesPerSecond: 0,
      };
    },
    evict: async (content) => note('hot.evict', content.path, undefined),
    locate: async (path) => {
      note('hot.locate', path, undefined);
      const remoteBytes = contents.remote?.[path] ?? 0;
      const remoteFiles = remoteBytes > 0 ? 1 : 0;
      return { path, files: remoteFiles, bytes: remoteBytes, hotFiles: 0, hotBytes: 0, remoteFiles, remoteBytes };
    },
    createExport: async (request) => note('hot.createExport', request.path, exportOf(request.path, request)),
    setQos: async (exportId, qos) => note('hot.setQos', exportId, exportOf(exportId, { path: exportId, qos })),
    createSnapshot: async (request) => {
      note('hot.createSnapshot', request.path, undefined);
      return { ...request, snapshotId: 'snap', createdAt: 'now', files: 0, bytes: 0, contentPath: '/' };
    },
    prefetch: async (request) =>
      note('hot.prefetch', request.path, { ...request, jobId: 'job', state: 'completed', files: 1, bytes: 1, doneFiles: 1, doneBytes: 1 }),
    prefetchJob: () => Promise.reject(new Error('nothing runs')),
    reserve: async (request) => note('hot.reserve', request.path, { ...request, reservationId: 'reservation' }),
    renewReservations: async (owner) => note('hot.renewReservations', owner, undefined),
    holdings: async () => ({ exports: [], snapshots: [], reservations: [] }),
    releaseHoldings: async (owner) => note('hot.releaseHoldings', owner, { exports: [], snapshots: [], reservations: [] }),
    auditLog: async () => [],
  };
}

function recordingObjects(name: string, note: Note, buckets: NonNullable<Contents['warm']>): ObjectStore {
  const written = { bytes: 0, crc32c: '', etag: '', versionId: undefined };
  return {
    name,
    service: name,
    ensureBucket: async (bucket) => note(`${name}.ensureBucket`, bucket, undefined),
    list: async (bucket, prefix) => {
      note(`${name}.list`, `s3://${bucket}/${prefix}`, undefined);
      const keys = Object.entries(buckets[bucket] ?? {}).filter(([key]) => key.startsWith(prefix));
      return { entries: keys.map(([key, bytes]) => ({ key, bytes, etag: 'etag', modifiedAt: '2026-01-01T00:00:00Z' })), next: undefined };
    },
    listPrefixes: async () => [],
    readInto: async (bucket, key, into) => {
      const totalBytes = buckets[bucket]?.[key] ?? into.length;
      return { bytes: into.length, totalBytes, etag: 'etag', crc32c: undefined, readCrc32c: '', metadata: {} };
    },
    partBytesFor: () => 8 * 2 ** 20,
    beginUpload: async (bucket, key) => ({ bucket, key, uploadId: 'upload' }),
    writePart: async (_upload, number) => ({ number, bytes: 0, etag: '', crc32c: undefined }),
    copyPart: async (_upload, number) => ({ number, bytes: 0, etag: '', crc32c: undefined }),
    listParts: async () => [],
    completeUpload: async ({ bucket, key }) => note(`${name}.completeUpload`, `s3://${bucket}/${key}`, written),
    abandonUpload: async () => undefined,
    copyObject: async (_source, bucket, key) => note(`${name}.copyObject`, `s3://${bucket}/${key}`, written),
    head: async () => undefined,
    read: () => Promise.resolve(Readable.from([])),
    readBytes: (bucket, key) => Promise.reject(new PenstockError('NotFound', `s3://${bucket}/${key}`)),
    writeBytes: async (bucket, key) => note(`${name}.writeBytes`, `s3://${bucket}/${key}`, written),
    writeStream: async (bucket, key, body) => {
      note(`${name}.writeStream`, `s3://${bucket}/${key}`, undefined);
      await body.pipe(new PassThrough()).resume().toArray();
      return written;
    },
    remove: async (bucket, key) => note(`${name}.remove`, `s3://${bucket}/${key}`, undefined),
    retain: async (bucket, key) => note(`${name}.retain`, `s3://${bucket}/${key}`, undefined),
    retention: async () => undefined,
    hold: async () => undefined,
    sweep: async () => 0,
  };
}

function recordingFiles(name: string, note: Note): FileStore {
  const facts = { path: '', bytes: 0, modifiedAt: '', etag: '' };
  return {
    name,
    root: `/${name}`,
    list: async () => ({ entries: [], next: undefined }),
    stat: async () => undefined,
    readAt: async () => undefined,
    listDirectories: async () => [],
    hasDirectory: async () => false,
    statDirectory: async () => undefined,
    openFile: async (path) => ({
      facts: { ...facts, path },
      read: async () => undefined,
      verify: async () => undefined,
      nextData: async () => undefined,
      attributes: async () => ({}),
      close: async () => undefined,
    }),
    createFile: async (path) => ({
      session: path,
      write: async () => undefined,
      copyFrom: async () => false,
      read: async () => undefined,
      seal: async () => ({ published: Promise.resolve(note(`${name}.createFile`, path, facts)) }),
      close: async () => undefined,
      abandon: async () => undefined,
    }),
    writesTogether: () => false,
    writeWhole: async (path) => ({ published: Promise.resolve(note(`${name}.writeWhole`, path, facts)) }),
    read: () => Promise.resolve(Readable.from([])),
    readBytes: async () => Buffer.alloc(0),
    write: async (path) => note(`${name}.write`, path, facts),
    ensureDirectory: async (path) => note(`${name}.ensureDirectory`, path, undefined),
    sync: async (path) => note(`${name}.sync`, path, undefined),
    freeBytes: async () => 1e12,
    remove: async (path) => note(`${name}.remove`, path, undefined),
    createScope: () => ({ defer: () => undefined, flush: () => Promise.resolve(), close: () => Promise.resolve() }),
    collect: async () => 0,
    sweep: async () => 0,
  };
}
