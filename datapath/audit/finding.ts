/** What a verification finds. */
export const findingKinds = [
  'entry-changed',
  'entry-deleted',
  'entry-inserted',
  'entries-reordered',
  'segment-removed',
  'segment-damaged',
  'hashes-damaged',
  'checkpoint-removed',
  'checkpoint-replayed',
  'checkpoint-forged',
  'not-witnessed',
  'truncated',
  'forked',
  'key-not-announced',
  'clock-went-back',
  'entry-out-of-time',
  'batch-doubled',
  'batch-refused',
  'spool-open',
  'index-damaged',
  'foreign-object',
] as const;
export type FindingKind = (typeof findingKinds)[number];

export interface Finding {
  readonly kind: FindingKind;
  /** Of the log; absent where it is of no one. */
  readonly segment?: number;
  /** The leaf's number in the whole log. */
  readonly leaf?: number;
  /** A sentence of what happened. */
  readonly what: string;
}

export interface Verification {
  readonly findings: readonly Finding[];
  readonly firstSegment: number;
  readonly segments: number;
  readonly leaves: number;
  /** Hex; of all that was verified. */
  readonly root: string;
  readonly lastSealedAt?: string;
  /** The keys that the log began with, here: hold them to what you were told otherwise. */
  readonly signer: string;
  readonly witness: string;
  /** The key that the next checkpoint must be signed by. */
  readonly lastSigner: string;
  /** Of a bundle: the key that sealed it, which may be a later one. */
  readonly sealedBy?: string;
}
