/** The erasure set's numbers: how an object is cut into stripes and cells, how long a shard is, and what things are called in a rack. */
import { PenstockError } from '../../model/errors.ts';

export const DATA_SHARDS = 14;
export const PARITY_SHARDS = 4;
export const TOTAL_SHARDS = DATA_SHARDS + PARITY_SHARDS;
/** Shards that must be durable before a commit: two more may fail until repair, and four losses are still survived afterwards at 18. */
export const WRITE_QUORUM = 16;
/** Manifest copies that make a commit: one more than racks that may be lost. */
export const MANIFEST_COPIES = PARITY_SHARDS + 1;
/** Racks that may hold a manifest: any two sets of five among nine meet. */
export const MANIFEST_ELECTORS = 2 * PARITY_SHARDS + 1;

export const HEADER_BYTES = 4096;
export const FOOTER_BYTES = 128;
export const TABLE_ENTRY_BYTES = 4;
export const MAX_CELL_BYTES = 1_048_576;
export const MIN_CELL_BYTES = 64;
export const MAX_KEY_BYTES = 900;
const MAX_STEP_BYTES = 255;

/** How one object is cut. */
export interface Layout {
  readonly objectBytes: number;
  readonly cellBytes: number;
  readonly stripes: number;
}

/** The writer's rule: small cells for small objects, stripes of equal size for large ones. */
export function layoutFor(objectBytes: number): Layout {
  if (!Number.isSafeInteger(objectBytes) || objectBytes < 0) {
    throw new PenstockError('InvalidInput', `an object's length must be a whole number of bytes up to 2^53 - 1, not ${objectBytes}.`);
  }
  const planned = Math.max(1, Math.ceil(objectBytes / (DATA_SHARDS * MAX_CELL_BYTES)));
  const smallest = Math.ceil(objectBytes / (DATA_SHARDS * planned));
  // Whole pages from 64 KiB on, so that a rack may read cells around the page cache.
  const multiple = smallest > 65_536 ? 4096 : MIN_CELL_BYTES;
  const cellBytes = Math.max(MIN_CELL_BYTES, Math.ceil(smallest / multiple) * multiple);
  return { objectBytes, cellBytes, stripes: stripesOf(objectBytes, cellBytes) };
}

export function stripesOf(objectBytes: number, cellBytes: number): number {
  return Math.ceil(objectBytes / (DATA_SHARDS * cellBytes));
}

export function shardBytes(layout: Layout): number {
  return HEADER_BYTES + layout.stripes * (layout.cellBytes + TABLE_ENTRY_BYTES) + FOOTER_BYTES;
}

/** What a shard has beside its cells: header, table and footer. */
export const frameBytes = (layout: Layout): number => shardBytes(layout) - layout.stripes * layout.cellBytes;

/** Where a stripe's cell begins in a shard; for `stripe` = stripes, where the table begins. */
export function cellOffset(layout: Layout, stripe: number): number {
  return HEADER_BYTES + stripe * layout.cellBytes;
}

const SHARD_ROOT = 'ec/v1/shards/';
const MANIFEST_ROOT = 'ec/v1/manifests/';
const MANIFEST_START = '@manifest.';
const FIRST_MANIFEST_NAME = '@manifest.jsonl';
const LATER_MANIFEST_NAME = /^@manifest\.([1-9]\d{0,8})\.([0-9a-f]{32})\.jsonl$/;
const SHARD_NAME = /^@([0-9a-f]{32})\.(\d{2})(?:\.([0-9a-f]{32}))?$/;

const REMOVED_NAME = /^@([0-9a-f]{32})\.removed$/;

/** One shard file of an object, as its name tells. */
export interface ShardName {
  readonly writeId: string;
  readonly index: number;
  /** The repair that rebuilt it; undefined where the object's writer made it. */
  readonly repairId?: string | undefined;
}

export function shardKey(key: string, writeId: string, index: number, repairId?: string): string {
  return `${shardPrefix(key)}${writeId}.${String(index).padStart(2, '0')}${repairId === undefined ? '' : `.${repairId}`}`;
}

/** Begins every shard of the object, but also shards of keys below it: hold what is listed against {@link parseShardKey}. */
export function shardPrefix(key: string): string {
  return `${SHARD_ROOT}${key}/@`;
}

/** Undefined where the name is not that of a shard of the object. */
export function parseShardKey(key: string, name: string): ShardName | undefined {
  const { key: named, ...shard } = parseShardName(name) ?? { key: undefined, writeId: '', index: 0 };
  return named === key ? shard : undefined;
}

/** Of any object. Undefined where the name is not that of a shard. */
export function parseShardName(name: string): (ShardName & { readonly key: string }) | undefined {
  const end = name.lastIndexOf('/');
  if (!name.startsWith(SHARD_ROOT) || end <= SHARD_ROOT.length) return undefined;
  const [, writeId, index, repairId] = SHARD_NAME.exec(name.slice(end + 1)) ?? [];
  if (writeId === undefined || index === undefined) return undefined;
  return { key: name.slice(SHARD_ROOT.length, end), writeId, index: Number(index), ...(repairId === undefined ? {} : { repairId }) };
}

/** Says beside its shards that a write is being removed: without a manifest they are not what is left of an object, however many there are. */
export const removalKey = (key: string, writeId: string): string => `${shardPrefix(key)}${writeId}.removed`;
export function parseRemovalName(name: string): { readonly key: string; readonly writeId: string } | undefined {
  const end = name.lastIndexOf('/');
  const [, writeId] = REMOVED_NAME.exec(name.slice(end + 1)) ?? [];
  return writeId === undefined || !name.startsWith(SHARD_ROOT) || end <= SHARD_ROOT.length ? undefined : { key: name.slice(SHARD_ROOT.length, end), writeId };
}

/** Begins the names of the shards of all objects whose keys begin so. */
export const shardListPrefix = (keyPrefix: string): string => `${SHARD_ROOT}${keyPrefix}`;

/**
 * Of the first generation, which decides whose the key is. The names of later ones carry the write id, so that nobody who works on an object that was removed
 * meanwhile can touch those of its successor. Of all an object's manifests the first generation's comes last in a listing.
 */
export function manifestKey(key: string): string {
  return `${manifestPrefix(key)}/${FIRST_MANIFEST_NAME}`;
}
export function laterManifestKey(key: string, writeId: string, generation: number): string {
  return `${manifestsOf(key)}${generation}.${writeId}.jsonl`;
}
export function manifestPrefix(keyPrefix: string): string {
  return `${MANIFEST_ROOT}${keyPrefix}`;
}
/** Begins every manifest of the object, of whatever generation. */
export const manifestsOf = (key: string): string => `${manifestPrefix(key)}/${MANIFEST_START}`;

export interface ManifestName {
  readonly key: string;
  /** 1 for the first, whose name does not say whose it is. */
  readonly generation: number;
  readonly writeId?: string;
}

/** Undefined where the name is not that of a manifest, and where none of ours could have been written for such a key. */
export function parseManifestKey(name: string): ManifestName | undefined {
  const end = name.lastIndexOf('/');
  if (!name.startsWith(MANIFEST_ROOT) || end <= MANIFEST_ROOT.length) return undefined;
  const key = name.slice(MANIFEST_ROOT.length, end);
  if (whyNoKey(key) !== undefined) return undefined;
  if (name.slice(end + 1) === FIRST_MANIFEST_NAME) return { key, generation: 1 };
  const [, generation, writeId] = LATER_MANIFEST_NAME.exec(name.slice(end + 1)) ?? [];
  return writeId === undefined || generation === '1' ? undefined : { key, generation: Number(generation), writeId };
}

const WRITE_ID = /^[0-9a-f]{32}$/;

/** InvalidInput where the key could alias another one or leave its place. */
export function checkKey(key: string): void {
  const why = whyNoKey(key);
  if (why !== undefined) throw new PenstockError('InvalidInput', `${JSON.stringify(key.slice(0, 120))} cannot be an erasure object's key: ${why}.`);
}

function whyNoKey(key: string): string | undefined {
  if (!key.isWellFormed()) return 'it is not well-formed Unicode';
  if (Buffer.byteLength(key) > MAX_KEY_BYTES) return `it is longer than ${MAX_KEY_BYTES} bytes`;
  if (/\p{Cc}/u.test(key)) return 'it holds a control character';
  for (const step of key.split('/')) {
    if (step === '' || step === '.' || step === '..') return 'it has an empty, "." or ".." step';
    if (Buffer.byteLength(step) > MAX_STEP_BYTES) return `a step is longer than ${MAX_STEP_BYTES} bytes`;
    if (step.startsWith(MANIFEST_START) || SHARD_NAME.test(step) || REMOVED_NAME.test(step)) return `the step "${step}" is reserved`;
  }
  return undefined;
}

/** InvalidInput where the id is not 32 lower-case hex digits. */
export function checkWriteId(writeId: string): void {
  if (!WRITE_ID.test(writeId)) {
    throw new PenstockError('InvalidInput', `a write id is 32 lower-case hex digits, not ${JSON.stringify(writeId.slice(0, 64))}.`, {
      nextStep: 'Use newWriteId() for each attempt.',
    });
  }
}

/** A fresh id for one attempt; attempts never share one, so that a zombie cannot touch its successor's shards. */
export function newWriteId(): string {
  return crypto.randomUUID().replaceAll('-', '');
}

/** Begins with the time, so that what an abandoned repair left can be told by its age from what one is making. */
export function newRepairId(nowMilliseconds: number = Date.now()): string {
  return nowMilliseconds.toString(16).padStart(12, '0') + newWriteId().slice(12);
}
export const repairStartedAt = (repairId: string): number => Number.parseInt(repairId.slice(0, 12), 16);
