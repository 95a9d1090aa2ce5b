/** Which files share a pack: a pure function of their names and lengths, so that every attempt plans the same. */
import { byBytes } from '../../drivers/pages.ts';

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
/** What a format allows. */
export interface PackLimits<File extends PlannedFile> {
  /** Exclusive: a file from this size on gains nothing in a pack. */
  readonly memberBytesBelow: number;
  readonly members: number;
  readonly packBytes: number;
  /** What a member adds beside its content, and how much of that a pack may hold. */
  overheadOf(file: File): number;
  readonly overheadBytes: number;
  /** What a pack has beside all of that. */
  readonly fixedBytes: number;
}

/** The order of members: by the bytes of their names. */
export const byName = (a: { readonly name: string }, b: { readonly name: string }): number => byBytes(a.name, b.name);

export function planPacks<File extends PlannedFile>(files: readonly File[], limits: PackLimits<File>): PackPlan<File> {
  const { memberBytesBelow } = limits;
  const single = files.filter(({ bytes }) => bytes >= memberBytesBelow);
  const groups: File[][] = [];
  let contentBytes = 0;
  let overheadBytes = 0;
  for (const file of files.filter(({ bytes }) => bytes < memberBytesBelow).sort(byName)) {
    const overhead = limits.overheadOf(file);
    const group = groups.at(-1);
    const packBytes = contentBytes + file.bytes + overheadBytes + overhead + limits.fixedBytes;
    if (group && group.length < limits.members && overheadBytes + overhead <= limits.overheadBytes && packBytes <= limits.packBytes) {
      group.push(file);
      contentBytes += file.bytes;
      overheadBytes += overhead;
    } else {
      groups.push([file]);
      contentBytes = file.bytes;
      overheadBytes = overhead;
    }
  }
  const packs = groups.filter((group) => group.length > 1);
  return { packs, single: [...single, ...groups.filter((group) => group.length === 1).flat()] };
}
