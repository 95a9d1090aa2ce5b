/** Names of the log's objects (docs/formats/audit-log.md), below `audit/{site}/` of the locked bucket, and what a reader of them must be able to do. */
import type { ObjectStore } from '../../drivers/object-store/port.ts';
import { eachPage } from '../../drivers/pages.ts';
import { absent } from '../../model/errors.ts';

export const logPrefix = (site: string): string => `audit/${site}/`;
/** As checkpoints name the log. */
export const originOf = (site: string): string => `penstock/${site}/audit`;

const ten = (number: number): string => String(number).padStart(10, '0');

export const names = {
  segment: (number: number): string => `segments/${ten(number)}.jsonl.zst`,
  leaves: (number: number): string => `leaves/${ten(number)}.bin`,
  checkpoint: (number: number): string => `checkpoints/${ten(number)}.txt`,
  index: (number: number): string => `index/${ten(number)}.json`,
  page: (number: number): string => `pages/${ten(number)}.json`,
};

/** Records of so many segments are one page. */
export const SEGMENTS_PER_PAGE = 100;

const NAME = /^(?:segments\/(\d{10})\.jsonl\.zst|leaves\/(\d{10})\.bin|checkpoints\/(\d{10})\.txt|index\/(\d{10})\.json|pages\/\d{10}\.json)$/;

/** The segment that an object is of; undefined for a page. @throws TypeError for what is no name of the log's */
export function segmentOf(name: string): number | undefined {
  const match = NAME.exec(name);
  if (!match) throw new TypeError(`${JSON.stringify(name)} is no name of an audit log`);
  const number = match.slice(1).find((digits) => digits !== undefined);
  return number === undefined ? undefined : Number(number);
}

/** A log as it lies: in the locked bucket, in a directory, in a bundle. Names are without the prefix. */
export interface LogFiles {
  /** Undefined where there is none. */
  read(name: string, signal?: AbortSignal): Promise<Buffer | undefined>;
  has(name: string): Promise<boolean>;
  /** All of them, in any order. */
  names(): AsyncIterable<string>;
}

const MAX_OBJECT_BYTES = 32 * 2 ** 20;

export function filesInBucket(store: ObjectStore, bucket: string, prefix: string): LogFiles {
  return {
    read: (name, signal) => store.readBytes(bucket, `${prefix}${name}`, { limitBytes: MAX_OBJECT_BYTES, ...(signal ? { signal } : {}) }).catch(absent),
    has: async (name) => (await store.head(bucket, `${prefix}${name}`)) !== undefined,
    async *names() {
      for await (const { entries } of eachPage((from) => store.list(bucket, prefix, from))) for (const { key } of entries) yield key.slice(prefix.length);
    },
  };
}

export function filesInMemory(files: ReadonlyMap<string, Buffer>): LogFiles {
  return {
    read: async (name) => files.get(name),
    has: async (name) => files.has(name),
    async *names() {
      yield* files.keys();
    },
  };
}

/** The last number of those that are there from 0 without a gap, in as many questions as it has bits; undefined where there is not even the first. */
export async function lastOf(files: LogFiles, name: (number: number) => string): Promise<number | undefined> {
  if (!(await files.has(name(0)))) return undefined;
  let reach = 1;
  while (await files.has(name(reach))) reach *= 2;
  let [there, beyond] = [Math.floor(reach / 2), reach];
  while (beyond - there > 1) {
    const middle = Math.floor((there + beyond) / 2);
    if (await files.has(name(middle))) there = middle;
    else beyond = middle;
  }
  return there;
}
