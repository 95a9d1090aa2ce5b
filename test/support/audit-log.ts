/** An audit log for tests: stores in memory that keep Object Lock's word, keys, and entries out of a seed. */
import { generateKeyPairSync } from 'node:crypto';
import { inboxPrefix, packBatch, putBatch, refusedPrefix } from '../../datapath/audit/batch.ts';
import { canonicalJson } from '../../datapath/audit/canonical.ts';
import { logPrefix, originOf } from '../../datapath/audit/layout.ts';
import type { LockedLog } from '../../datapath/audit/locked-log.ts';
import { type KeyRole, openSigner, type Signer } from '../../datapath/audit/note.ts';
import type { ObjectStore } from '../../drivers/object-store/port.ts';
import type { Operation } from '../../model/audit.ts';
import { PenstockError } from '../../model/errors.ts';
import { SYSTEM_BUCKET } from '../../model/location.ts';

export const SITE = 'embedded';
export const BUCKET = 'penstock-audit';
export const START_MS = Date.parse('2026-11-22T08:00:00.000Z');

export const pemOfNewKey = (): string => generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
export const newSigner = (role: KeyRole): Signer => openSigner(pemOfNewKey(), role === 'log' ? originOf(SITE) : `${originOf(SITE)}/witness`, role);

export interface MemoryObjects {
  /** By `bucket/key`. */
  readonly objects: Map<string, Buffer>;
  readonly store: Pick<ObjectStore, 'name' | 'readBytes' | 'writeBytes' | 'head' | 'list' | 'remove' | 'ensureBucket'>;
}

/** @param onChange before each write and removal takes effect; what it throws keeps it from doing so */
export function memoryObjects(name: string, onChange: (what: string) => void = () => undefined): MemoryObjects {
  const objects = new Map<string, Buffer>();
  const locked = new Set<string>();
  const at = (bucket: string, key: string): string => `${bucket}/${key}`;
  const facts = (key: string, body: Buffer) => ({
    key,
    bytes: body.length,
    etag: '',
    modifiedAt: '',
    versionId: '1',
    crc32c: undefined,
    metadata: {},
    servedAs: {},
  });
  return {
    objects,
    store: {
      name,
      ensureBucket: async () => undefined,
      readBytes: async (bucket, key) => {
        const body = objects.get(at(bucket, key));
        if (!body) throw new PenstockError('NotFound', `${key} is not there.`);
        return body;
      },
      writeBytes: async (bucket, key, body, options = {}) => {
        if (!Buffer.isBuffer(body)) throw new TypeError('only buffers');
        onChange(`put ${key}`);
        if (options.ifNoneMatch && objects.has(at(bucket, key))) throw new PenstockError('Conflict', `${key} exists.`);
        objects.set(at(bucket, key), body);
        if (options.retention?.mode === 'COMPLIANCE') locked.add(at(bucket, key));
        return { bytes: body.length, crc32c: '', etag: '', versionId: '1' };
      },
      head: async (bucket, key) => {
        const body = objects.get(at(bucket, key));
        return body && facts(key, body);
      },
      list: async (bucket, prefix) => ({
        next: undefined,
        entries: [...objects]
          .filter(([path]) => path.startsWith(at(bucket, prefix)))
          .map(([path, body]) => facts(path.slice(bucket.length + 1), body))
          .sort((one, other) => (one.key < other.key ? -1 : 1)),
      }),
      remove: async (bucket, key) => {
        onChange(`remove ${key}`);
        if (locked.has(at(bucket, key))) throw new PenstockError('Denied', `${key} is held.`);
        objects.delete(at(bucket, key));
      },
    },
  };
}

export interface LogKeys {
  readonly log: readonly [Signer, ...Signer[]];
  readonly witness: readonly [Signer, ...Signer[]];
}

export interface MemoryLog {
  readonly log: LockedLog;
  readonly cold: MemoryObjects;
  readonly warm: MemoryObjects;
  readonly keys: LogKeys;
  /** The log's objects, by their names without the prefix. */
  files(): Map<string, Buffer>;
}

export interface MemoryLogOptions {
  readonly keys?: LogKeys;
  readonly onChange?: (what: string) => void;
}

/** Unprepared methods of the port are never asked for by the log. */
export const asObjectStore = ({ store }: MemoryObjects): ObjectStore =>
  new Proxy<ObjectStore>(Object.create(null), {
    get: (_target, member) => Reflect.get(store, member),
  });

export function memoryLog({ keys = { log: [newSigner('log')], witness: [newSigner('witness')] }, onChange }: MemoryLogOptions = {}): MemoryLog {
  const cold = memoryObjects('cold', onChange);
  const warm = memoryObjects('warm', onChange);
  return {
    keys,
    cold,
    warm,
    log: openLog({ cold, warm }, keys),
    files: () => new Map([...cold.objects].map(([path, body]) => [path.slice(`${BUCKET}/${logPrefix(SITE)}`.length), body])),
  };
}

/** The same stores with other keys, as a worker with another site file sees them. */
export function openLog({ cold, warm }: Pick<MemoryLog, 'cold' | 'warm'>, keys: LogKeys): LockedLog {
  const inboxStore = asObjectStore(warm);
  return {
    store: asObjectStore(cold),
    bucket: BUCKET,
    prefix: logPrefix(SITE),
    origin: originOf(SITE),
    inbox: { store: inboxStore, prefix: inboxPrefix(SITE) },
    refusedPrefix: refusedPrefix(SITE),
    witnessPrefix: `audit/${SITE}/witness/`,
    logKeys: keys.log,
    witnessKeys: keys.witness,
    retentionYears: 7,
    checkpointSeconds: 60,
  };
}

export const operationAt = (number: number, atMs: number, more: Partial<Operation> = {}): Operation => ({
  kind: 'operation',
  id: number.toString(16).padStart(32, '0'),
  stage: number % 2 === 0 ? 'intent' : 'outcome',
  time: new Date(atMs).toISOString(),
  operation: 'copy',
  actor: 'worker data-1',
  tenant: 'acme',
  project: 'vision',
  allocationId: `train-${number % 3}`,
  paths: [`warm:s3://acme/vision/file ${number}`],
  ...more,
});

export async function send({ log }: Pick<MemoryLog, 'log'>, operations: readonly Operation[], atMs: number): Promise<string> {
  const batch = packBatch(operations, atMs);
  await putBatch(log.inbox, batch, new AbortController().signal);
  return batch.name;
}

/** A log of so many segments, each a minute after the other, of so many entries. */
export async function sealedLog(segments: number, entries: number, seal: (log: LockedLog, nowMs: number) => Promise<unknown>): Promise<MemoryLog> {
  const memory = memoryLog();
  for (let segment = 0; segment < segments; segment += 1) {
    const atMs = START_MS + segment * 60_000;
    const operations = Array.from({ length: entries }, (_, index) => operationAt(segment * entries + index, atMs));
    await send(memory, operations, atMs);
    await seal(memory.log, atMs + 60_000);
  }
  return memory;
}

export const lineOf = (operation: Operation): string => canonicalJson(operation);
export const witnessNotes = ({ warm }: Pick<MemoryLog, 'warm'>): string[] =>
  [...warm.objects].filter(([path]) => path.startsWith(`${SYSTEM_BUCKET}/audit/${SITE}/witness/`)).map(([, body]) => body.toString('utf8'));
