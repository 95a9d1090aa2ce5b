/** What `penstock erasure where` answers: an object's shards, each with its rack and state. */

/** unwritten: no rack was given it; it awaits repair. unreachable: its rack does not answer, or is none of the site file. */
export type LocatedState = 'there' | 'gone' | 'wrong length' | 'unreachable' | 'unwritten';

export interface LocatedShard {
  readonly index: number;
  readonly rack?: string;
  readonly room?: string;
  readonly state: LocatedState;
  /** Why it is not there, or why its rack takes no new ones. */
  readonly note?: string;
}
export interface LocatedManifest {
  readonly rack: string;
  readonly room: string;
  readonly state: 'present' | 'absent' | 'damaged' | 'unreachable' | 'other attempt';
}
export interface LocatedObject {
  readonly key: string;
  /** The small file that was asked for, where the object is a pack that holds it. */
  readonly member?: string;
  /** Of that file; what else is said here of content is the pack's. */
  readonly memberContent?: { readonly bytes: number; readonly crc32c: string };
  readonly bytes: number;
  readonly sha256: string;
  readonly createdAt: string;
  readonly cellBytes: number;
  readonly stripes: number;
  readonly writeId: string;
  /** 1 as written; one more with each repair. */
  readonly generation: number;
  readonly shardBytes: number;
  readonly shards: readonly LocatedShard[];
  /** On the racks that may hold one. */
  readonly manifests: readonly LocatedManifest[];
  /** Racks that may still be lost: shards that are there less 14; negative where the object cannot be read now. */
  readonly margin: number;
}
