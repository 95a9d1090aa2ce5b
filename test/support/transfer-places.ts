/** Endpoints of both kinds over a real gateway and a real directory, each with its place on disk, where a test may tamper with it. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CopyOptions, copyEntries } from '../../datapath/transfer/copy.ts';
import type { Endpoint, EntryPage } from '../../datapath/transfer/endpoint.ts';
import { createFileEndpoint } from '../../datapath/transfer/file-endpoint.ts';
import { createObjectEndpoint } from '../../datapath/transfer/object-endpoint.ts';
import { createPosixFileStore } from '../../drivers/file-store/posix.ts';
import type { ObjectStore } from '../../drivers/object-store/port.ts';
import type { S3StoreOptions } from '../../drivers/object-store/s3-client.ts';
import type { ManifestEntry } from '../../model/manifest.ts';
import { startTestGateway } from './s3-gateway.ts';
import { publish } from './transfer-content.ts';

/** `elsewhere`: objects of another service, so that nothing is copied without passing here. */
export type Kind = 'object' | 'elsewhere' | 'file';
export interface Place {
  readonly endpoint: Endpoint;
  /** Where the endpoint is one of objects: below the prefix. */
  readonly objects?: { readonly store: ObjectStore; readonly bucket: string; readonly prefix: string; readonly options: S3StoreOptions };
  readonly onDisk: string;
}
export interface Places {
  /** The file endpoints' root. */
  readonly directory: string;
  /** A new, empty one. */
  place(kind: Kind): Place;
  stop(): Promise<void>;
}

export const kinds: readonly Kind[] = ['object', 'elsewhere', 'file'];

export async function startPlaces(): Promise<Places> {
  const [gateway, other] = await Promise.all([startTestGateway(), startTestGateway('elsewhere')]);
  const directory = await mkdtemp(join(tmpdir(), 'penstock-files-'));
  for (const { store } of [gateway, other]) await store.ensureBucket('data');
  let serial = 0;
  return {
    directory,
    place(kind) {
      serial += 1;
      const name = `set-${serial}`;
      if (kind !== 'file') {
        const { store, root, options } = kind === 'object' ? gateway : other;
        return {
          endpoint: createObjectEndpoint(store, 'data', name),
          objects: { store, bucket: 'data', prefix: `${name}/`, options },
          onDisk: join(root, 'data', name),
        };
      }
      return { endpoint: createFileEndpoint(createPosixFileStore({ name: 'scratch', root: directory }), name), onDisk: join(directory, name) };
    },
    async stop() {
      await gateway.stop();
      await other.stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** Publishes each and answers them as listed. */
export async function fill(endpoint: Endpoint, contents: Readonly<Record<string, string | Buffer>>): Promise<ManifestEntry[]> {
  for (const [path, content] of Object.entries(contents)) await put(endpoint, path, content);
  return listPages(endpoint);
}

export const put = publish;

export async function listPages(endpoint: Endpoint, limit?: number): Promise<ManifestEntry[]> {
  const entries: ManifestEntry[] = [];
  for (let after: string | undefined; ; ) {
    const page: EntryPage = await endpoint.list({ ...(after ? { after } : {}), ...(limit ? { limit } : {}) });
    entries.push(...page.entries);
    if (page.next === undefined) return entries;
    after = page.next;
  }
}

export function copy(source: Place, target: Place, entries: readonly ManifestEntry[], options: Partial<CopyOptions> = {}) {
  return copyEntries({ source: source.endpoint, target: target.endpoint, entries, attempt: '1', concurrency: 4, ...options });
}
