/**
 * `node bench/transfer/ours.ts [--concurrency N] SOURCE TARGET`: moves everything below the source to the target with the real engine, verified. A place is
 * `file:///directory` or `http(s)://host:port/bucket/prefix` with credentials in the environment, as a peer has them. Prints how long it took to be ready.
 */
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { copyEntries } from '../../datapath/transfer/copy.ts';
import type { Endpoint } from '../../datapath/transfer/endpoint.ts';
import { createFileEndpoint } from '../../datapath/transfer/file-endpoint.ts';
import { listAll } from '../../datapath/transfer/list-all.ts';
import { createObjectEndpoint } from '../../datapath/transfer/object-endpoint.ts';
import { createPosixFileStore } from '../../drivers/file-store/posix.ts';
import type { ObjectStore } from '../../drivers/object-store/port.ts';
import type { ManifestEntry } from '../../model/manifest.ts';
import { storeOfEnvironment } from '../harness/store.ts';

/** As long as a page of a manifest: a listing is never in memory as a whole. */
const PAGE_ENTRIES = 10_000;

const { values, positionals } = parseArgs({ allowPositionals: true, options: { concurrency: { type: 'string', default: '8' } } });
const [from, to] = positionals;
if (!from || !to) throw new Error('usage: ours.ts [--concurrency N] SOURCE TARGET');
const stores = new Map<string, ObjectStore>();
const [source, target] = [openPlace(from), openPlace(to)];
process.stdout.write(`${JSON.stringify({ startSeconds: process.uptime(), startCpuSeconds: cpuSeconds() })}\n`);

let page: ManifestEntry[] = [];
for await (const entry of listAll(source)) {
  page.push(entry);
  if (page.length < PAGE_ENTRIES) continue;
  await copyPage(page);
  page = [];
}
await copyPage(page);

async function copyPage(entries: readonly ManifestEntry[]): Promise<void> {
  if (entries.length === 0) return;
  const { failed } = await copyEntries({ source, target, entries, attempt: 'bench', concurrency: Number(values.concurrency) });
  if (failed.length > 0) throw new Error(`${failed.length} entries failed, the first: ${JSON.stringify(failed[0])}`);
}

function openPlace(place: string): Endpoint {
  if (place.startsWith('file:')) return createFileEndpoint(createPosixFileStore({ name: 'files', root: fileURLToPath(place) }), '');
  const { origin, pathname } = new URL(place);
  const [, bucket = '', ...prefix] = pathname.split('/');
  return createObjectEndpoint(openStore(origin), bucket, prefix.join('/'));
}

/** One endpoint is one store, so that the engine can let it copy by itself. */
function openStore(endpoint: string): ObjectStore {
  const store = stores.get(endpoint) ?? storeOfEnvironment(endpoint, endpoint);
  stores.set(endpoint, store);
  return store;
}

function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}
