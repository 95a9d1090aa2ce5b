/** Lists objects from the manifests of all racks, merged; any four racks may be gone. */
import type { RackPage, RackStore } from '../../drivers/rack-store/port.ts';
import { PenstockError } from '../../model/errors.ts';
import { manifestKey, manifestPrefix, PARITY_SHARDS, parseManifestKey } from './layout.ts';
import { defaultPatience, messageOf, type Patience, within } from './patience.ts';

export interface ListErasureObjects {
  readonly racks: readonly RackStore[];
  /** Of the objects' keys; empty for all. */
  readonly prefix: string;
  /** The last key of the page before. */
  readonly after?: string | undefined;
  /** At most 1,000. */
  readonly limit?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly patience?: Patience | undefined;
}
export interface ErasureObjectPage {
  readonly keys: readonly string[];
  /** Give it as `after` for the next page; undefined at the end. */
  readonly next: string | undefined;
}

/** In byte order of the manifests' names. StoreUnavailable where more racks are silent than an object may have lost. */
export async function listErasureObjects({
  racks,
  prefix,
  after,
  limit = 1000,
  signal,
  patience = defaultPatience,
}: ListErasureObjects): Promise<ErasureObjectPage> {
  const from = after === undefined ? {} : { after: manifestKey(after) };
  const silent: string[] = [];
  const answers = await Promise.all(
    racks.map(async (rack): Promise<RackPage | undefined> => {
      try {
        return await within(
          patience.requestMilliseconds,
          rack.id,
          'listing manifests',
          (inner) => rack.list(manifestPrefix(prefix), { ...from, limit, signal: inner }),
          signal,
        );
      } catch (error) {
        signal?.throwIfAborted();
        silent.push(`${rack.id} (${messageOf(error)})`);
        return undefined;
      }
    }),
  );
  if (silent.length > PARITY_SHARDS) throw new PenstockError('StoreUnavailable', `the listing would be incomplete; not reached: ${silent.join(', ')}.`);

  const pages = answers.filter((page) => page !== undefined);
  // Behind the shortest page's end another rack may still have something to say.
  const horizon = pages.flatMap(({ next }) => next ?? []).sort(byBytes)[0];
  const names = [...new Set(pages.flatMap(({ keys }) => keys))].filter((name) => horizon === undefined || byBytes(name, horizon) <= 0).sort(byBytes);
  const taken = names.slice(0, limit);
  const isLast = horizon === undefined && taken.length === names.length;
  const keys = taken.flatMap((name) => parseManifestKey(name) ?? []);
  return { keys, next: isLast ? undefined : keys.at(-1) };
}

function byBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
