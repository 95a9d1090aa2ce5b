/** Whole contents in and out of an endpoint, for tests that look at bytes. */
import { crc32cOf } from '../../datapath/transfer/crc32c.ts';
import { BLOCK_BYTES, type CreateOptions, type Endpoint, type PartReceipt } from '../../datapath/transfer/endpoint.ts';
import type { ManifestEntry } from '../../model/manifest.ts';

export const MODIFIED_AT = '2026-03-04T05:06:07.891Z';

/** Publishes the content as an entry that claims to be `announced`, where it is given. */
export async function publish(
  endpoint: Endpoint,
  path: string,
  content: string | Buffer,
  options: Partial<CreateOptions> & { readonly announced?: Partial<ManifestEntry> } = {},
): Promise<ManifestEntry> {
  const { announced, ...rest } = options;
  const bytes = Buffer.from(content);
  const entry: ManifestEntry = { path, bytes: bytes.length, modifiedAt: MODIFIED_AT, etag: 'none', ...announced };
  const writer = await endpoint.create(entry, { attempt: '1', ...rest });
  try {
    const receipts: PartReceipt[] = [];
    for (let offset = 0; offset < bytes.length; offset += BLOCK_BYTES) {
      const buffer = bytes.subarray(offset, offset + BLOCK_BYTES);
      receipts.push(await writer.writePart(receipts.length, { buffer, crc32c: crc32cOf(buffer) }));
    }
    return await (await writer.seal(receipts, crc32cOf(bytes))).published;
  } catch (error) {
    await writer.abandon();
    throw error;
  }
}

/** @throws what the endpoint says where the entry is no longer the listed one */
export async function contentOf(endpoint: Endpoint, entry: ManifestEntry): Promise<Buffer> {
  const reader = await endpoint.open(entry);
  try {
    const content = Buffer.alloc(entry.bytes);
    for (let offset = 0; offset < entry.bytes; offset += BLOCK_BYTES) await reader.read(content.subarray(offset, offset + BLOCK_BYTES), offset);
    await reader.verify();
    return content;
  } finally {
    await reader.close();
  }
}

export const textOf = async (endpoint: Endpoint, entry: ManifestEntry): Promise<string> => (await contentOf(endpoint, entry)).toString();
