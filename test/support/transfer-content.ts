/** Whole contents in and out of an endpoint, for tests that look at bytes. */
import { crc32cOf } from '../../datapath/transfer/crc32c.ts';
import { BLOCK_BYTES, type CreateOptions, type Endpoint, type PartContent, type PartReceipt } from '../../datapath/transfer/endpoint.ts';
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
    for (let offset = 0; offset < bytes.length; offset += writer.partBytes) {
      receipts.push(await writer.writePart(receipts.length, partContent(bytes.subarray(offset, offset + writer.partBytes))));
    }
    return await (await writer.seal(receipts, crc32cOf(bytes))).published;
  } catch (error) {
    await writer.abandon();
    throw error;
  }
}

function partContent(part: Buffer): PartContent {
  const crc32c = crc32cOf(part);
  if (part.length <= BLOCK_BYTES) return { buffer: part, crc32c };
  async function* blocks() {
    for (let offset = 0; offset < part.length; offset += BLOCK_BYTES) yield part.subarray(offset, offset + BLOCK_BYTES);
  }
  return { bytes: part.length, blocks: blocks(), crc32c: () => Promise.resolve(crc32c) };
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
