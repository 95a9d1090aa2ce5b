/** What a query knows of a segment without reading it: its times, and who and what it names, as hashes of four bytes. Made from the segment alone, so that it can be made again. */
import { createHash } from 'node:crypto';
import * as z from 'zod';
import type { Operation } from '../../model/audit.ts';
import { canonicalJson } from './canonical.ts';
import type { Segment } from './segment.ts';

export const IndexRecordSchema = z.strictObject({
  number: z.int().nonnegative(),
  firstLeaf: z.int().nonnegative(),
  leaves: z.int().positive(),
  sealedAt: z.iso.datetime(),
  /** Of its operations; absent where it has none. */
  from: z.iso.datetime().optional(),
  until: z.iso.datetime().optional(),
  batches: z.array(z.string()),
  /** Sorted hashes, base64. */
  terms: z.base64(),
});
export type IndexRecord = z.output<typeof IndexRecordSchema>;
export const IndexPageSchema = z.strictObject({ segments: z.array(IndexRecordSchema) });

const TERM_BYTES = 4;

export type Term = readonly [field: 'tenant' | 'allocation' | 'node' | 'user' | 'operation', value: string];

/** 1 in 4 billion is another's: such a segment is read in vain. */
export const hashTerm = ([field, value]: Term): Buffer => createHash('sha256').update(`${field}:${value}`).digest().subarray(0, TERM_BYTES);

/** An allocation is its tenant, project and id: the last alone is not its name. */
export const allocationName = ({ tenant, project, allocationId }: Pick<Operation, 'tenant' | 'project' | 'allocationId'>): string | undefined =>
  tenant === undefined || project === undefined || allocationId === undefined ? undefined : `${tenant}/${project}/${allocationId}`;

function termsOf(operation: Operation): Term[] {
  const allocation = allocationName(operation);
  const { tenant, nodeId, user } = operation;
  return [
    ['operation', operation.operation],
    ...(tenant === undefined ? [] : [['tenant', tenant] as const]),
    ...(allocation === undefined ? [] : [['allocation', allocation] as const]),
    ...(nodeId === undefined ? [] : [['node', nodeId] as const]),
    ...(user === undefined ? [] : [['user', user] as const]),
  ];
}

export function indexOf({ header, leaves }: Pick<Segment, 'header' | 'leaves'>): IndexRecord {
  const operations = leaves.filter((leaf) => leaf.kind === 'operation');
  const terms = new Set(operations.flatMap(termsOf).map((term) => hashTerm(term).toString('hex')));
  const [from, until] = [earliest(operations, -1), earliest(operations, 1)];
  return {
    number: header.number,
    firstLeaf: header.firstLeaf,
    leaves: leaves.length,
    sealedAt: header.sealedAt,
    ...(from === undefined || until === undefined ? {} : { from, until }),
    batches: header.batches,
    terms: Buffer.from([...terms].sort().join(''), 'hex').toString('base64'),
  };
}

/** The first of the times, or with 1 the last. */
function earliest(operations: readonly Operation[], direction: 1 | -1): string | undefined {
  let found: string | undefined;
  for (const { time } of operations) if (found === undefined || direction * (Date.parse(time) - Date.parse(found)) > 0) found = time;
  return found;
}

export const packRecord = (record: IndexRecord): Buffer => Buffer.from(`${canonicalJson(record)}\n`);
export const packPage = (segments: readonly IndexRecord[]): Buffer => Buffer.from(`${canonicalJson({ segments })}\n`);

/** Whether the segment may name it. */
export function mayHold(terms: Buffer, term: Buffer): boolean {
  let [low, high] = [0, terms.length / TERM_BYTES];
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const order = terms.compare(term, 0, TERM_BYTES, middle * TERM_BYTES, (middle + 1) * TERM_BYTES);
    if (order === 0) return true;
    if (order < 0) low = middle + 1;
    else high = middle;
  }
  return false;
}
