/** The records of a log's segments, in order. The index is a shortcut: where a part of it is missing or damaged, the segments are read instead, and what is gone altogether is told. */
import type * as z from 'zod';
import { messageOf } from '../../model/errors.ts';
import { parseJson } from '../../model/json.ts';
import { IndexPageSchema, type IndexRecord, IndexRecordSchema, indexOf } from './index-record.ts';
import { type LogFiles, lastOf, names, SEGMENTS_PER_PAGE } from './layout.ts';
import { parseSegment, unpackLines } from './segment.ts';

const OBJECTS_AT_ONCE = 32;

/** Told of what cannot be read, a sentence each. */
export type Tell = (what: string) => void;
export const isGone = (segment: number): string => `segment ${segment} is gone, and what it had is not in this answer: run \`penstock audit verify\``;

/** Undefined, and told, where it cannot be read. */
export function readOrTell<T>(segment: number, read: () => T, tell: Tell): T | undefined {
  try {
    return read();
  } catch (error) {
    tell(`segment ${segment} cannot be read, and what it had is not in this answer: ${messageOf(error)}`);
    return undefined;
  }
}

/** Pages of a hundred, and the records behind the last page. */
export async function readIndex(files: LogFiles, tell: Tell = () => undefined): Promise<IndexRecord[]> {
  const records: IndexRecord[] = [];
  const lastPage = await lastOf(files, names.page);
  const pages = await readEach(files, numbers(0, lastPage === undefined ? 0 : lastPage + 1).map(names.page));
  for (const [page, body] of pages.entries()) {
    const first = page * SEGMENTS_PER_PAGE;
    records.push(...(parsed(IndexPageSchema, body)?.segments ?? (await recordsOf(files, await readIndexes(files, first, SEGMENTS_PER_PAGE), first, tell))));
  }
  for (let from = pages.length * SEGMENTS_PER_PAGE; ; from += OBJECTS_AT_ONCE) {
    const bodies = await readIndexes(files, from, OBJECTS_AT_ONCE);
    const end = 1 + bodies.findLastIndex((body) => body !== undefined);
    records.push(...(await recordsOf(files, bodies.slice(0, end), from, tell)));
    if (end < bodies.length) return [...records, ...(await recordsBehind(files, from + end, tell))];
  }
}

/** Segments whose index is not written yet, or not there any more. */
async function recordsBehind(files: LogFiles, first: number, tell: Tell): Promise<IndexRecord[]> {
  const records: IndexRecord[] = [];
  for (;;) {
    const record = await recordOfSegment(files, first + records.length, tell);
    if (!record) return records;
    records.push(record);
  }
}

async function recordsOf(files: LogFiles, bodies: readonly (Buffer | undefined)[], first: number, tell: Tell): Promise<IndexRecord[]> {
  const records: IndexRecord[] = [];
  for (const [index, body] of bodies.entries()) {
    const record = parsed(IndexRecordSchema, body) ?? (await recordOfSegment(files, first + index, tell, () => tell(isGone(first + index))));
    if (record) records.push(record);
  }
  return records;
}

async function recordOfSegment(files: LogFiles, number: number, tell: Tell, onGone?: () => void): Promise<IndexRecord | undefined> {
  const body = await files.read(names.segment(number));
  if (!body) onGone?.();
  return body && readOrTell(number, () => indexOf(parseSegment(unpackLines(body))), tell);
}

/** Undefined where it is none: the segments are the truth. */
const parsed = <Schema extends z.ZodType>(schema: Schema, body: Buffer | undefined): z.output<Schema> | undefined =>
  body && schema.safeParse(parseJson(body)).data;

const numbers = (first: number, count: number): number[] => Array.from({ length: count }, (_, index) => first + index);

const readIndexes = (files: LogFiles, first: number, count: number) => readEach(files, numbers(first, count).map(names.index));

async function readEach(files: LogFiles, wanted: readonly string[]): Promise<(Buffer | undefined)[]> {
  const found: (Buffer | undefined)[] = [];
  for (let from = 0; from < wanted.length; from += OBJECTS_AT_ONCE)
    found.push(...(await Promise.all(wanted.slice(from, from + OBJECTS_AT_ONCE).map((name) => files.read(name)))));
  return found;
}
