/** A stream as an upload in parts, some on their way at once; whatever fails, nothing is left. */
import { contentFault, crc32cOf, createCrc32cMeter } from '../../datapath/transfer/crc32c.ts';
import type { Upload, UploadedPart, WriteOptions, WrittenObject } from './port.ts';
import type { Part } from './s3-parts.ts';
import { label, type S3Target } from './s3-target.ts';
import { abandonUpload, beginUpload, completeUpload, writePart } from './s3-uploads.ts';

/** Memory of one upload: so many parts on their way, and one being filled. */
const PARTS_IN_FLIGHT = 2;

export async function uploadParts(target: S3Target, first: Buffer, rest: AsyncGenerator<Part, undefined>, options: WriteOptions): Promise<WrittenObject> {
  const { expected, ifNoneMatch = false, ifMatch, retention, signal } = options;
  const upload = await beginUpload(target, options);
  try {
    const meter = createCrc32cMeter();
    const parts = await sendAll(target, upload, first, rest, (content) => meter.add(content), signal);
    const fault = contentFault({ ...expected, subject: label(target), store: target.store }, meter);
    if (fault) throw fault;
    const crc32c = meter.crc32c();
    const whole = {
      bytes: meter.bytes(),
      crc32c,
      ifNoneMatch,
      ...(ifMatch ? { ifMatch } : {}),
      ...(retention ? { retention } : {}),
      ...(signal ? { signal } : {}),
    };
    return { ...(await completeUpload(target, upload, parts, whole)), crc32c };
  } catch (error) {
    await abandonUpload(target, upload);
    throw error;
  }
}

async function sendAll(
  target: S3Target,
  upload: Upload,
  first: Buffer,
  rest: AsyncGenerator<Part, undefined>,
  seen: (content: Buffer) => void,
  signal: AbortSignal | undefined,
): Promise<UploadedPart[]> {
  const parts: UploadedPart[] = [];
  const inFlight = new Set<Promise<void>>();
  const failures: unknown[] = [];
  let begun = 0;
  const start = async (content: Buffer): Promise<void> => {
    seen(content);
    begun += 1;
    const sent: Promise<void> = writePart(target, upload, begun, content, { crc32c: crc32cOf(content), ...(signal ? { signal } : {}) })
      .then(
        (part) => {
          parts[part.number - 1] = part;
        },
        (error: unknown) => {
          failures.push(error);
        },
      )
      .finally(() => inFlight.delete(sent));
    inFlight.add(sent);
    if (inFlight.size >= PARTS_IN_FLIGHT) await Promise.race(inFlight);
  };
  try {
    await start(first);
    for await (const part of rest) {
      if (failures.length > 0) break;
      await start(part.content);
    }
  } finally {
    await Promise.all(inFlight);
  }
  if (failures.length > 0) throw failures[0];
  return parts;
}
