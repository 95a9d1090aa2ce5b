/**
 * A part of the log in one file, to be verified without the site: a line an object, as canonical JSON, and behind them a note in which the key of the log signs the hash of those lines. The
 * objects are those of the bucket, byte for byte; the checkpoint before the first segment comes along.
 */
import { createHash } from 'node:crypto';
import * as z from 'zod';
import { canonicalJson } from './canonical.ts';
import { filesInMemory, type LogFiles, names, SEGMENTS_PER_PAGE } from './layout.ts';
import { formatNote, parseNote, type Signer, signedBy } from './note.ts';

const ObjectLineSchema = z.strictObject({ body: z.base64(), name: z.string().max(100) });
const SealLineSchema = z.strictObject({ note: z.string().max(4096) });
const TITLE = 'penstock-audit-bundle/v1';

export interface BundleRange {
  readonly first: number;
  readonly last: number;
}

/** Line by line, each with its end. @throws where a segment of the range is gone */
export async function* packBundle(files: LogFiles, { first, last }: BundleRange, origin: string, signer: Signer, nowMs: number): AsyncGenerator<string, void> {
  const hash = createHash('sha256');
  for (const name of namesIn({ first, last })) {
    const body = await files.read(name);
    if (!body) throw new TypeError(`${name} is gone`);
    const line = `${canonicalJson({ name, body: body.toString('base64') })}\n`;
    hash.update(line);
    yield line;
  }
  const text = `${TITLE}\n${origin}\n${hash.digest('base64')}\n${signer.verifier}\n`;
  yield `${canonicalJson({ note: formatNote(text, [signer.sign(text, nowMs)]) })}\n`;
}

function* namesIn({ first, last }: BundleRange): Generator<string, void> {
  if (first > 0) yield names.checkpoint(first - 1);
  for (let number = first; number <= last; number += 1) {
    yield names.segment(number);
    yield names.leaves(number);
    yield names.index(number);
    yield names.checkpoint(number);
    const page = Math.floor(number / SEGMENTS_PER_PAGE);
    if ((number + 1) % SEGMENTS_PER_PAGE === 0 && page * SEGMENTS_PER_PAGE >= first) yield names.page(page);
  }
}

export interface OpenedBundle {
  readonly files: LogFiles;
  /** The key that sealed it; undefined where it is not as it was sealed. */
  readonly sealedBy: string | undefined;
}

/** @throws TypeError where it is no bundle */
export async function openBundle(lines: AsyncIterable<string>): Promise<OpenedBundle> {
  const objects = new Map<string, Buffer>();
  const hash = createHash('sha256');
  let note: string | undefined;
  for await (const line of lines) {
    if (note !== undefined) throw new TypeError('there is more behind the end of the bundle');
    const parsed: unknown = JSON.parse(line);
    const object = ObjectLineSchema.safeParse(parsed);
    if (!object.success) {
      note = SealLineSchema.parse(parsed).note;
      continue;
    }
    const { name, body } = object.data;
    if (objects.has(name)) throw new TypeError(`${name} is in it twice`);
    objects.set(name, Buffer.from(body, 'base64'));
    hash.update(`${line}\n`);
  }
  if (note === undefined) throw new TypeError('its end is missing');
  return { files: filesInMemory(objects), sealedBy: sealerOf(note, hash.digest('base64')) };
}

function sealerOf(text: string, digest: string): string | undefined {
  const note = parseNote(text);
  const [title, _origin, sealed, verifier = ''] = note.text.split('\n');
  return title === TITLE && sealed === digest && signedBy(note, verifier) ? verifier : undefined;
}
