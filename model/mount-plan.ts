/** What assignNodes answers: all a node's prologue needs to mount, and where the job may write. */

export interface MountPlan {
  readonly mounts: readonly PlannedMount[];
  readonly output: PlannedPrefix;
  /** Absent where the job takes no checkpoints. */
  readonly checkpoints?: PlannedPrefix;
  readonly scratch: readonly NodeScratch[];
  /** Exports and QoS end by themselves at this ISO instant, even if nobody calls again. */
  readonly expiresAt: string;
}

export interface PlannedMount {
  readonly source: string;
  readonly target: string;
  readonly access: 'read-only' | 'read-write';
  /** Absent for data read in place over S3 (tier_hint warm). */
  readonly exportId?: string;
  /** Absent where the site serves no NFS. */
  readonly nfs?: { readonly address: string; readonly port: number; readonly path: string };
  readonly s3: { readonly endpoint: string; readonly bucket: string; readonly prefix: string };
  readonly floorBytesPerSecond: number;
  readonly ceilingBytesPerSecond: number;
  /** The read-only data as it was when the job started. */
  readonly snapshotId?: string;
}

export interface PlannedPrefix {
  readonly uri: string;
  readonly endpoint: string;
  readonly bucket: string;
  readonly prefix: string;
}

export interface NodeScratch {
  readonly nodeId: string;
  readonly kind: 'nvme' | 'network';
  readonly path: string;
  readonly bytes: number;
  /** Where the node's agent leaves `stdout.log` and `stderr.log`. */
  readonly logSpool: string;
}
