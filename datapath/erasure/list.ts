/** Lists objects from the manifests of all racks, merged; any four racks may be gone. */
import { byBytes, eachPage } from '../../drivers/pages.ts';
import type { RackPage, RackStore } from '../../drivers/rack-store/port.ts';
import { messageOf, PenstockError } from '../../model/errors.ts';
import { manifestKey, manifestPrefix, PARITY_SHARDS, parseManifestKey } from './layout.ts';
import type { SurveyOptions } from './manifest-copies.ts';
import { defaultPatience, type Patience } from './patience.ts';
import { askRack, withLastChance } from './rack-memory.ts';

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
  for (let from = after === undefined ? undefined : manifestKey(after); ; ) {
    const page = await listNames(racks, manifestPrefix(prefix), { after: from, limit, signal, patience });
    // Later generations make no object.
    const known = [...page.names.keys()].flatMap((name) => parseManifestKey(name) ?? []).filter(({ generation }) => generation === 1);
    const keys = known.slice(0, limit).map(({ key }) => key);
    if (page.next === undefined && keys.length === known.length) return { keys, next: undefined };
    if (keys.length > 0) return { keys, next: keys.at(-1) };
    from = page.next;
  }
}

/** Every key behind `after`, page by page. */
export async function* eachErasureObject(request: ListErasureObjects): AsyncGenerator<string> {
  for await (const { keys } of eachPage(({ after }) => listErasureObjects({ ...request, after }), request.after)) yield* keys;
}

export interface NamePage {
  /** Names in byte order, and the racks that have them. */
  readonly names: ReadonlyMap<string, readonly RackStore[]>;
  /** Give it as `after` for the next page; undefined at the end. */
  readonly next: string | undefined;
  /** Rack and problem. */
  readonly silent: readonly string[];
}

type ListNames = SurveyOptions & { readonly after: string | undefined; readonly limit: number };

/** The names on all racks, merged: every rack that answered has told all that it has up to the page's end. StoreUnavailable as above. */
export async function listNames(racks: readonly RackStore[], prefix: string, options: ListNames): Promise<NamePage> {
  return await withLastChance(racks, options.patience, (patience) => namesOnAll(racks, prefix, { ...options, patience }));
}

async function namesOnAll(racks: readonly RackStore[], prefix: string, { after, limit, signal, patience }: ListNames): Promise<NamePage> {
  const from = after === undefined ? {} : { after };
  const silent: string[] = [];
  const answers = await Promise.all(
    racks.map(async (rack): Promise<{ rack: RackStore; page: RackPage } | undefined> => {
      try {
        const list = (inner: AbortSignal) => rack.list(prefix, { ...from, limit, signal: inner });
        return { rack, page: await askRack(rack, 'listing', { patience, signal }, list) };
      } catch (error) {
        signal?.throwIfAborted();
        silent.push(`${rack.id} (${messageOf(error)})`);
        return undefined;
      }
    }),
  );
  if (silent.length > PARITY_SHARDS) throw new PenstockError('StoreUnavailable', `the listing would be incomplete; not reached: ${silent.join(', ')}.`);

  const pages = answers.filter((answer) => answer !== undefined);
  // Behind the shortest page's end another rack may still have something to say.
  const next = pages.flatMap(({ page }) => page.next ?? []).sort(byBytes)[0];
  const found = new Map<string, RackStore[]>();
  for (const { rack, page } of pages) {
    for (const name of page.keys) {
      if (next === undefined || byBytes(name, next) <= 0) found.set(name, [...(found.get(name) ?? []), rack]);
    }
  }
  return { names: new Map([...found].sort(([a], [b]) => byBytes(a, b))), next, silent };
}
