/** Every entry of an endpoint in path order, a page in memory at a time; and how a long list is cut, so that its ranges are read side by side. */
import { eachPage, type From } from '../../drivers/pages.ts';
import type { ManifestEntry } from '../../model/manifest.ts';
import type { Endpoint } from './endpoint.ts';

/** Paths behind `after`, up to and with `until`; absent: from the beginning, to the end. */
export interface PathRange {
  readonly after?: string;
  readonly until?: string;
}

export async function* listAll(endpoint: Endpoint, signal?: AbortSignal, range: PathRange = {}): AsyncGenerator<ManifestEntry, void> {
  const until = range.until === undefined ? undefined : Buffer.from(range.until);
  const list = (from: From) => endpoint.list({ ...from, ...(signal ? { signal } : {}) });
  for await (const { entries, next } of eachPage(list, range.after)) {
    for (const entry of entries) {
      if (until && Buffer.compare(Buffer.from(entry.path), until) > 0) return;
      yield entry;
    }
    if (until && next !== undefined && Buffer.compare(Buffer.from(next), until) >= 0) return;
  }
}

/** Each range costs a part-filled page of the manifest, and one request more. */
const MAX_RANGES = 64;

/** One range where the list fits a page, or where the store knows nowhere to cut. */
export async function cutRanges(endpoint: Endpoint, signal?: AbortSignal): Promise<PathRange[]> {
  const first = await endpoint.list(signal ? { signal } : {});
  if (first.next === undefined) return [{}];
  const cuts = (await endpoint.cuts(signal)).map((cut) => Buffer.from(cut)).sort(Buffer.compare);
  const every = Math.max(1, Math.ceil(cuts.length / (MAX_RANGES - 1)));
  const bounds = cuts.filter((_, index) => index % every === 0).map((cut) => cut.toString());
  return [undefined, ...bounds].map((after, index) => {
    const until = bounds[index];
    return { ...(after === undefined ? {} : { after }), ...(until === undefined ? {} : { until }) };
  });
}
