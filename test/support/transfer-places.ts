/** Endpoints of both kinds over a real gateway and a real directory, each with its place on disk, where a test may tamper with it. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { type CopyOptions, copyEntries } from '../../datapath/transfer/copy.ts';
import type { Endpoint, EntryPage, PublishOptions } from '../../datapath/transfer/endpoint.ts';
import { createFileEndpoint } from '../../datapath/transfer/file-endpoint.ts';
import { createObjectEndpoint } from '../../datapath/transfer/object-endpoint.ts';
import { createPosixFileStore } from '../../drivers/file-store/posix.ts';
import type { ManifestEntry } from '../../model/manifest.ts';
import { startTestGateway } from './s3-gateway.ts';

export type Kind = 'object' | 'file';
export interface Place {
  readonly endpoint: Endpoint;
  readonly onDisk: string;
}
export interface Places {
  /** The file endpoints' root. */
  readonly directory: string;
  /** A new, empty one. */
  place(kind: Kind): Place;
  stop(): Promise<void>;
}

export const kinds: readonly Kind[] = ['object', 'file'];
export const MODIFIED_AT = '2026-03-04T05:06:07.891Z';

export async function startPlaces(): Promise<Places> {
  const gateway = await startTestGateway();
  const directory = await mkdtemp(join(tmpdir(), 'penstock-files-'));
  await gateway.store.ensureBucket('data');
  let serial = 0;
  return {
    directory,
    place(kind) {
      serial += 1;
      const name = `set-${serial}`;
      if (kind === 'object') return { endpoint: createObjectEndpoint(gateway.store, 'data', name), onDisk: join(gateway.root, 'data', name) };
      return { endpoint: createFileEndpoint(createPosixFileStore({ name: 'scratch', root: directory }), name), onDisk: join(directory, name) };
    },
    async stop() {
      await gateway.stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** Publishes each and answers them as listed. */
export async function fill(endpoint: Endpoint, contents: Readonly<Record<string, string | Buffer>>): Promise<ManifestEntry[]> {
  for (const [path, content] of Object.entries(contents)) await put(endpoint, path, content);
  return listPages(endpoint);
}

export function put(endpoint: Endpoint, path: string, content: string | Buffer, options: Partial<PublishOptions> = {}): Promise<ManifestEntry> {
  const bytes = Buffer.from(content);
  const entry = { path, bytes: bytes.length, modifiedAt: MODIFIED_AT, etag: 'none' };
  return endpoint.publish(entry, Readable.from([bytes]), { attempt: '1', ...options });
}

export async function listPages(endpoint: Endpoint, limit?: number): Promise<ManifestEntry[]> {
  const entries: ManifestEntry[] = [];
  for (let after: string | undefined; ; ) {
    const page: EntryPage = await endpoint.list({ ...(after ? { after } : {}), ...(limit ? { limit } : {}) });
    entries.push(...page.entries);
    if (page.next === undefined) return entries;
    after = page.next;
  }
}

export async function textOf(endpoint: Endpoint, entry: ManifestEntry): Promise<string> {
  return Buffer.concat(await (await endpoint.open(entry)).toArray()).toString();
}

export function copy(source: Place, target: Place, entries: readonly ManifestEntry[], options: Partial<CopyOptions> = {}) {
  return copyEntries({ source: source.endpoint, target: target.endpoint, entries, attempt: '1', concurrency: 4, ...options });
}
