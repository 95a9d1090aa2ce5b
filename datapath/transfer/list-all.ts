import type { ManifestEntry } from '../../model/manifest.ts';
import type { Endpoint } from './endpoint.ts';

/** Every entry of an endpoint in path order, a page in memory at a time. */
export async function* listAll(endpoint: Endpoint, signal?: AbortSignal): AsyncGenerator<ManifestEntry, void> {
  let after: string | undefined;
  do {
    const page = await endpoint.list({ ...(after === undefined ? {} : { after }), ...(signal ? { signal } : {}) });
    yield* page.entries;
    after = page.next;
  } while (after !== undefined);
}
