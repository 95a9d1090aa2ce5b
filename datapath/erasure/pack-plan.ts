/** Which files share a pack: a pure function of their names and lengths, so that every attempt plans the same. */
import { byName, indexEntryBytes, MAX_INDEX_BYTES, MAX_PACK_BYTES, MAX_PACK_MEMBERS, MEMBER_BYTES_BELOW, TRAILER_BYTES } from './pack-format.ts';

export interface PlannedFile {
  readonly name: string;
  readonly bytes: number;
}
export interface PackPlan<File extends PlannedFile> {
  /** Each of two members or more, in order. */
  readonly packs: readonly (readonly File[])[];
  /** Large ones, and one that would be alone in a pack: it costs as much by itself and reads more easily. */
  readonly single: readonly File[];
}

export function planPacks<File extends PlannedFile>(files: readonly File[]): PackPlan<File> {
  const single = files.filter(({ bytes }) => bytes >= MEMBER_BYTES_BELOW);
  const groups: File[][] = [];
  let contentBytes = 0;
  let indexBytes = 0;
  for (const file of files.filter(({ bytes }) => bytes < MEMBER_BYTES_BELOW).sort(byName)) {
    const entryBytes = indexEntryBytes(file.name);
    const group = groups.at(-1);
    const packBytes = contentBytes + file.bytes + indexBytes + entryBytes + TRAILER_BYTES;
    if (group && group.length < MAX_PACK_MEMBERS && indexBytes + entryBytes <= MAX_INDEX_BYTES && packBytes <= MAX_PACK_BYTES) {
      group.push(file);
      contentBytes += file.bytes;
      indexBytes += entryBytes;
    } else {
      groups.push([file]);
      contentBytes = file.bytes;
      indexBytes = entryBytes;
    }
  }
  const packs = groups.filter((group) => group.length > 1);
  return { packs, single: [...single, ...groups.filter((group) => group.length === 1).flat()] };
}
