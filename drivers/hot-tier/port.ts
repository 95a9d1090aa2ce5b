/**
 * The hot tier: where jobs read and write while they run. The port speaks the meaning of the data-plane specification's
 * storage API (exports with QoS, catalog, snapshots, prefetch, audit) and adds what a scheduler needs to be safe: every
 * thing taken has an owner, an idempotency key and an expiry, so that a vanished owner holds nothing for ever.
 *
 * Every method may be repeated. Those that take a `key` answer the second call with the first call's object, as long as that
 * exists; a key is the owner's own, and using it for another request is a Conflict (another `expiresAt` alone is no other
 * request, and changes nothing). Errors are PenstockErrors: StoreUnavailable and StoreThrottled may be retried, OutOfSpace
 * and FloorUnavailable wait for others to give back, the rest is fatal for this input. Paths are absolute below the tier's root ("/training-data/imagenet"); a path
 * outside it, or through a symbolic link, is Denied.
 */
export interface HotTier {
  readonly name: string;

  /** Capacity, what is used and promised, and the sum of floors granted. Bytes and bytes per second. */
  capacity(): Promise<HotTierCapacity>;

  /** Bytes and files below a path by where they are resident. A missing path has zero of everything. */
  locate(path: string): Promise<Locality>;

  /** Afterwards clients reach the path until `expiresAt` with the floor held. FloorUnavailable: floors would exceed the tier. */
  createExport(request: ExportRequest): Promise<Export>;
  /** Changes floor and ceiling (0: none). FloorUnavailable leaves the old policy in force; NotFound if revoked or expired. */
  setQos(exportId: string, qos: QosPolicy): Promise<Export>;

  /** Point in time: later writes below the path do not show in it. */
  createSnapshot(request: SnapshotRequest): Promise<Snapshot>;

  /**
   * Asks the tier to recall files it knows but does not hold hot. Returns at once; poll with {@link prefetchJob}. Never replaces
   * a file that is there. Repeated after a failure, it runs the same job again. OutOfSpace: what is remote does not fit.
   */
  prefetch(request: PrefetchRequest): Promise<PrefetchJob>;
  /** NotFound for an unknown job. */
  prefetchJob(jobId: string): Promise<PrefetchJob>;

  /**
   * Sets `bytes` aside for the path, beyond what it holds now, and pins it against eviction until `expiresAt`. What is set aside
   * counts down as the path fills. Two reservations of one path are for the same data. OutOfSpace: nothing evictable is left.
   */
  reserve(request: ReservationRequest): Promise<Reservation>;
  /** Moves the expiry of everything the owner has reserved. Never shortens. */
  renewReservations(owner: string, expiresAt: string): Promise<void>;

  /**
   * Removes the files below the path, for a caller who vouches that each exists elsewhere. Conflict where anything holds the path, or where it does
   * not hold exactly so many files and bytes: somebody else writes there.
   */
  evict(content: { path: string; files: number; bytes: number }): Promise<void>;

  /** What the owner holds now; empty lists where nothing. */
  holdings(owner: string): Promise<Holdings>;
  /** Gives back what the owner holds of the named kinds: exports are unreachable, floors and space are free afterwards. Answers what is still held. */
  releaseHoldings(owner: string, kinds: readonly HoldingKind[]): Promise<Holdings>;

  /** Who did what below a path, oldest first. `limit` at most 1,000; `after` is the last entry's sequence number seen. */
  auditLog(path: string, options?: { after?: number; limit?: number }): Promise<AuditEntry[]>;
}

export type HoldingKind = 'exports' | 'snapshots' | 'reservations';

export interface QosPolicy {
  readonly floorBytesPerSecond: number;
  /** 0: without limit. */
  readonly ceilingBytesPerSecond: number;
}

export interface HotTierCapacity {
  readonly capacityBytes: number;
  readonly usedBytes: number;
  /** Set aside and not filled yet, so that free is capacity less used less reserved. */
  readonly reservedBytes: number;
  readonly writeBytesPerSecond: number;
  readonly readBytesPerSecond: number;
  readonly floorsBytesPerSecond: number;
}

export interface Locality {
  readonly path: string;
  readonly files: number;
  readonly bytes: number;
  /** Resident on the hot tier. */
  readonly hotFiles: number;
  readonly hotBytes: number;
  /** Known to the tier, but resident at its remote origin: a prefetch recalls them. */
  readonly remoteFiles: number;
  readonly remoteBytes: number;
}

interface Held {
  /** The allocation's workflow id. */
  readonly owner: string;
  /** Idempotency key, unique per thing taken. */
  readonly key: string;
  readonly path: string;
  /** ISO instant after which the tier takes it back by itself. */
  readonly expiresAt: string;
}

export interface ExportRequest extends Held {
  readonly access: 'read-only' | 'read-write';
  /** Nodes that may reach it. */
  readonly clients: readonly string[];
  readonly qos: QosPolicy;
}
export interface Export extends ExportRequest {
  readonly exportId: string;
  /** Absent where the site serves no NFS. */
  readonly nfs?: { readonly address: string; readonly port: number; readonly path: string };
  readonly s3: { readonly endpoint: string; readonly bucket: string; readonly prefix: string };
}

export type SnapshotRequest = Held;
export interface Snapshot extends SnapshotRequest {
  readonly snapshotId: string;
  readonly createdAt: string;
  readonly files: number;
  readonly bytes: number;
  /** Where its content is readable by movers, absolute. */
  readonly contentPath: string;
}

export interface PrefetchRequest {
  readonly owner: string;
  readonly key: string;
  readonly path: string;
  readonly bytesPerSecond: number;
}
export interface PrefetchJob extends PrefetchRequest {
  readonly jobId: string;
  readonly state: 'running' | 'completed' | 'failed';
  readonly files: number;
  readonly bytes: number;
  readonly doneFiles: number;
  readonly doneBytes: number;
  readonly error?: string;
}

export interface ReservationRequest extends Held {
  readonly bytes: number;
}
export interface Reservation extends ReservationRequest {
  readonly reservationId: string;
}

export interface Holdings {
  readonly exports: readonly Export[];
  readonly snapshots: readonly Snapshot[];
  readonly reservations: readonly Reservation[];
}

export interface AuditEntry {
  readonly sequence: number;
  readonly at: string;
  readonly actor: string;
  readonly operation: string;
  readonly path: string;
  readonly outcome: 'allowed' | 'refused';
}
