/** A share of a large entry: some of its parts; whoever records the last one missing publishes the whole. */
import { engineOf } from '../datapath/transfer/copy.ts';
import { toFailedEntry } from '../datapath/transfer/failed-entry.ts';
import { moveParts, partCount } from '../datapath/transfer/move-parts.ts';
import { type LargeRecords, largeRecords, type ShareRecord } from '../datapath/transfer/move-records.ts';
import { causeOf, SourceFailure } from '../datapath/transfer/source-failure.ts';
import { type ErrorType, isType, PenstockError } from '../model/errors.ts';
import type { FailedEntry, ManifestEntry } from '../model/manifest.ts';
import type { MoveRequest, UnitAnswer } from '../model/transfer.ts';
import { partsOfShare, type Unit } from '../model/transfer-plan.ts';
import { createOptions, isThere, largeEntry, seal } from './large-entry.ts';
import { placeOf } from './manifests.ts';
import type { Mover } from './move-unit.ts';

type Share = Extract<Unit, { kind: 'share' }>;

export async function moveShare(mover: Mover, request: MoveRequest, unit: Share): Promise<UnitAnswer> {
  const records = largeRecords(placeOf(mover.stores, request.manifest), unit.page, unit.index);
  const known = await records.findShare(unit.share);
  if (known) mover.onFound({ files: 0, bytes: bytesOf(known) });
  else {
    const entry = await largeEntry(mover, request, unit);
    await records.recordShare(unit.share, await partsOf(mover, request, unit, entry, records));
  }
  await sealLast(mover, request, unit, records);
  const share = await records.findShare(unit.share);
  // A share that failed is tried once more, as a whole entry, by the finish; only that counts.
  const bytes = share ? bytesOf(share) : 0;
  return { files: 0, bytes, shareBytes: bytes, failedCount: 0, failed: [] };
}

const bytesOf = (share: ShareRecord): number => ('parts' in share ? share.parts.reduce((sum, part) => sum + part.bytes, 0) : 0);

/** At once, for a sweep ends what lies unpublished for days, and the other units may take so long. What makes no whole is left to the finish. */
async function sealLast(mover: Mover, request: MoveRequest, unit: Share, records: LargeRecords): Promise<void> {
  const shares = await records.findShares(unit.shares);
  if (!shares || (await records.findEntry())) return;
  const sealed = await seal(mover, request, { records, entry: await largeEntry(mover, request, unit), shares });
  if (sealed) await records.recordEntry(sealed);
}

async function partsOf(mover: Mover, request: MoveRequest, unit: Share, entry: ManifestEntry, records: LargeRecords): Promise<ShareRecord> {
  const { source, target, run, limiter } = mover;
  try {
    if (await isThere(mover, entry)) return { parts: [] };
    const reader = await source.open(entry, { signal: run.signal });
    try {
      const options = await createOptions(request, reader, run);
      const { session, isMine } = await records.session(
        async () => {
          const begun = await target.create(entry, { ...options, room: 'look' });
          await begun.close();
          return { session: begun.session, etag: entry.etag };
        },
        async (unused) => (await target.create(entry, { ...options, session: unused })).abandon(),
      );
      // Once, by the one whose it is: lanes that each took room for a file of terabytes would fill the disk together.
      const writer = await target.create(entry, { ...options, session, ...(isMine ? { room: 'take' } : {}) });
      try {
        let doneBytes = 0;
        const engine = engineOf({ concurrency: 1, signal: run.signal, ...(limiter ? { limiter } : {}) });
        const receipts = await moveParts(
          {
            ...engine,
            onBytes(bytes) {
              doneBytes += bytes;
              mover.onProgress({ doneFiles: 0, doneBytes });
            },
          },
          reader,
          writer,
          partsOfShare(partCount(entry.bytes, writer.partBytes), unit.share, unit.shares),
        );
        return { parts: receipts.map(({ crc32c, ...rest }) => ({ ...rest, ...(crc32c ? { crc32c } : {}) })) };
      } finally {
        await writer.close();
      }
    } finally {
      await reader.close();
    }
  } catch (error) {
    return { failed: failureOf(entry, error) };
  }
}

/** What only this entry suffers from. @throws every other error, for the activity to be tried again */
function failureOf(entry: ManifestEntry, error: unknown): FailedEntry {
  const cause = causeOf(error);
  const isOfSource = error instanceof SourceFailure && cause instanceof PenstockError && OF_A_SOURCE.has(cause.type);
  if (isOfSource || isType(cause, 'SessionLost')) return { path: entry.path, type: cause.type, message: cause.message };
  return toFailedEntry(entry, cause);
}

/** Read twice already: the finish, which tries the whole entry once more, has the verdict. */
const OF_A_SOURCE: ReadonlySet<ErrorType> = new Set<ErrorType>(['IoError', 'ChecksumMismatch']);
