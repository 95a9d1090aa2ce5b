/** Which files of a drain share a pack of the erasure set. */
import { type PackLimits, type PackPlan, type PlannedFile, planPacks as planWithin } from '../packs/plan.ts';
import { indexEntryBytes, MAX_INDEX_BYTES, MAX_PACK_BYTES, MAX_PACK_MEMBERS, MEMBER_BYTES_BELOW, TRAILER_BYTES } from './pack-format.ts';

const LIMITS: PackLimits<PlannedFile> = {
  memberBytesBelow: MEMBER_BYTES_BELOW,
  members: MAX_PACK_MEMBERS,
  packBytes: MAX_PACK_BYTES,
  overheadOf: ({ name }) => indexEntryBytes(name),
  overheadBytes: MAX_INDEX_BYTES,
  fixedBytes: TRAILER_BYTES,
};

export const planPacks = <File extends PlannedFile>(files: readonly File[]): PackPlan<File> => planWithin<File>(files, LIMITS);
