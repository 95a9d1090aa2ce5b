/** Lists that Penstock wrote beside its records, read back a piece at a time. */
import { createInterface } from 'node:readline';
import { readFailures } from '../datapath/transfer/move-records.ts';
import type { Stores } from '../drivers/open-site.ts';
import { eachPage } from '../drivers/pages.ts';
import type { CheckDifference, CheckReport } from '../model/check.ts';
import type { FailedEntry, ManifestRef } from '../model/manifest.ts';

/** What could not be moved, in path order, large entries behind the others of their page. Of a transfer that moves: so far. */
export async function* readFailed(stores: Stores, { bucket, prefix }: Pick<ManifestRef, 'bucket' | 'prefix'>): AsyncGenerator<FailedEntry, void> {
  const folder = `${prefix}failed/`;
  const pages: string[] = [];
  for await (const { entries } of eachPage((from) => stores.warm.list(bucket, folder, from)))
    pages.push(...entries.map(({ key }) => key.slice(folder.length, -'.json'.length)));
  for (const page of pages.toSorted((one, other) => Number.parseInt(one, 10) - Number.parseInt(other, 10) || one.length - other.length)) {
    yield* await readFailures({ store: stores.warm, bucket, prefix }, page);
  }
}

export async function* readDifferences(stores: Stores, { bucket, key }: CheckReport): AsyncGenerator<CheckDifference, void> {
  const stream = await stores.warm.read(bucket, key);
  try {
    for await (const line of createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY })) {
      const [path = '', detail] = line.slice(2).split('\t');
      yield { symbol: line.slice(0, 1), path, ...(detail === undefined ? {} : { detail }) };
    }
  } finally {
    stream.destroy();
  }
}
