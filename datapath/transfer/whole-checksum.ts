/** What was moved, held to what is on record of it: by the list, and by the source itself. */
import { PenstockError } from '../../model/errors.ts';
import { combineCrc32c } from './crc32c-combine.ts';
import type { Endpoint, EntryReader, PartReceipt } from './endpoint.ts';
import { type ForeignChecksum, isCombined } from './foreign-checksum.ts';
import { combineForeign } from './foreign-combine.ts';
import { ofSource } from './move-parts.ts';
import type { Patience } from './patience.ts';
import type { RateLimiter } from './rate-limiter.ts';
import { readChecksum } from './read-crc32c.ts';
import { SourceFailure } from './source-failure.ts';

export interface ChecksumContext {
  readonly source: Pick<Endpoint, 'store'>;
  readonly limiter?: RateLimiter;
  /** Where the caller has none: each question and each read is then repeated by itself. */
  readonly patience?: Patience;
  readonly signal?: AbortSignal;
}

/**
 * What was read, which must be what the list and the source's own record say. A checksum on record that cannot be made of the parts' is held to another reading.
 * @returns undefined where a service copied by itself and nothing is on record
 */
export async function wholeChecksum(context: ChecksumContext, reader: EntryReader, receipts: readonly PartReceipt[]): Promise<string | undefined> {
  const { signal, patience } = context;
  const ask = <T>(question: () => Promise<T>): Promise<T> => {
    const ofThis = () => ofSource(signal, question);
    return patience ? patience.run(ofThis, signal) : ofThis();
  };
  const pieces = receipts.flatMap(({ bytes, crc32c }) => (crc32c === undefined ? [] : [{ bytes, crc32c }]));
  const recorded = await ask(() => reader.recordedCrc32c());
  const foreign = await ask(async () => reader.recordedForeign?.());
  // It compares the whole with the record by itself.
  const readAgain = () => ofSource(signal, () => readChecksum(reader, context));
  if (pieces.length < receipts.length) return reader.entry.crc32c ?? recorded ?? (foreign && (await readAgain()));
  const crc32c = combineCrc32c(pieces);
  for (const expected of [reader.entry.crc32c, recorded]) {
    if (expected !== undefined && expected !== crc32c) throw mismatch(context, reader, { algorithm: 'CRC32C', found: crc32c, expected });
  }
  if (!foreign) return crc32c;
  const { algorithm, value: expected } = foreign;
  const found = ofParts(foreign, receipts);
  if (found !== undefined && found !== expected) throw mismatch(context, reader, { algorithm, found, expected });
  if (found !== undefined) return crc32c;
  const again = await readAgain();
  if (again !== crc32c) throw mismatch(context, reader, { algorithm: 'CRC32C', found: crc32c, expected: again });
  return crc32c;
}

/** Undefined where it is not known of each, or cannot be made of them. */
function ofParts({ algorithm }: ForeignChecksum, receipts: readonly PartReceipt[]): string | undefined {
  if (!isCombined(algorithm)) return undefined;
  const pieces = receipts.flatMap(({ bytes, foreign }) => (foreign?.algorithm === algorithm ? [{ bytes, value: foreign.value }] : []));
  return pieces.length === receipts.length ? combineForeign(algorithm, pieces) : undefined;
}

function mismatch(
  { source }: ChecksumContext,
  { entry }: EntryReader,
  { algorithm, found, expected }: { readonly algorithm: string; readonly found: string; readonly expected: string },
): SourceFailure {
  const message = `${JSON.stringify(entry.path)} was read with ${algorithm} ${found} where ${expected} was expected.`;
  return new SourceFailure(new PenstockError('ChecksumMismatch', message, { store: source.store }));
}
