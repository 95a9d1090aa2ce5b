/** Batches: what a process has put on record, before it is in a segment. Their names say when, how much and of what content, so that a repeated one is the same object. */
import { createHash } from 'node:crypto';
import type { ObjectStore } from '../../drivers/object-store/port.ts';
import { type Operation, OperationSchema } from '../../model/audit.ts';
import { absent, isType } from '../../model/errors.ts';
import { SYSTEM_BUCKET } from '../../model/location.ts';
import { canonicalJson } from './canonical.ts';
import { parseLeaf } from './segment.ts';

export interface Inbox {
  readonly store: ObjectStore;
  readonly prefix: string;
}
export interface Batch {
  readonly name: string;
  readonly body: Buffer;
}
export interface BatchName {
  readonly name: string;
  readonly atMs: number;
  readonly entries: number;
}

const NAME = /^(\d{15})-(\d{4})-[0-9a-f]{32}\.jsonl$/;
const MAX_BATCH_BYTES = 16 * 2 ** 20;

export const inboxPrefix = (site: string): string => `audit/${site}/inbox/`;
export const refusedPrefix = (site: string): string => `audit/${site}/refused/`;

const digestOf = (body: Buffer): string => createHash('sha256').update(body).digest('hex');

export function packBatch(operations: readonly Operation[], nowMs: number): Batch {
  const body = Buffer.from(operations.map((operation) => `${canonicalJson(operation)}\n`).join(''));
  const [time, count] = [String(nowMs).padStart(15, '0'), String(operations.length).padStart(4, '0')];
  return { name: `${time}-${count}-${digestOf(body).slice(0, 32)}.jsonl`, body };
}

/** A clock that never says the same twice: batches of one process are sealed in the order in which they were named. */
export function increasing(now: () => number = Date.now): () => number {
  let last = Number.NEGATIVE_INFINITY;
  return () => {
    last = Math.max(last + 1, now());
    return last;
  };
}

/** Undefined for what is no batch's name. */
export function parseBatchName(name: string): BatchName | undefined {
  const [, time, entries] = NAME.exec(name) ?? [];
  return time === undefined || entries === undefined ? undefined : { name, atMs: Number(time), entries: Number(entries) };
}

/** Its lines, each held to the format. @throws TypeError with what is wrong */
export function parseBatch({ name, entries }: BatchName, body: Buffer): string[] {
  if (!name.endsWith(`-${digestOf(body).slice(0, 32)}.jsonl`)) throw new TypeError('its content is not the one it is named by');
  const lines = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body).split('\n');
  if (lines.pop() !== '' || lines.length !== entries) throw new TypeError(`it has not the ${entries} lines that its name says`);
  for (const line of lines) OperationSchema.parse(parseLeaf(line));
  return lines;
}

/** The batch is there afterwards, once, however often it is sent. */
export async function putBatch({ store, prefix }: Inbox, { name, body }: Batch, signal: AbortSignal): Promise<void> {
  try {
    await store.writeBytes(SYSTEM_BUCKET, `${prefix}${name}`, body, { ifNoneMatch: true, contentType: 'application/jsonl', signal });
  } catch (error) {
    ifOther(error);
  }
}

/** For `.catch` of what is put only where nothing is: what is there already serves. @throws every other error */
export function ifOther(error: unknown): void {
  if (!isType(error, 'Conflict')) throw error;
}

/** The oldest, at most a thousand; names of what is no batch come along. */
export async function listBatches({ store, prefix }: Inbox): Promise<string[]> {
  const page = await store.list(SYSTEM_BUCKET, prefix).catch(absent);
  return (page?.entries ?? []).map(({ key }) => key.slice(prefix.length));
}

export const readBatch = ({ store, prefix }: Inbox, name: string): Promise<Buffer> =>
  store.readBytes(SYSTEM_BUCKET, `${prefix}${name}`, { limitBytes: MAX_BATCH_BYTES });

export const removeBatch = ({ store, prefix }: Inbox, name: string): Promise<void> => store.remove(SYSTEM_BUCKET, `${prefix}${name}`);
