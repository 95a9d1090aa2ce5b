/** The answers of the specification's storage API, as the contract driver accepts them. Fields it does not know are passed over, so that a server may grow. */
import * as z from 'zod';
import type { AuditEntry, Export, Holdings, HotTierCapacity, Locality, PrefetchJob, Reservation, Snapshot } from './port.ts';

const count = z.int().nonnegative();
const held = { owner: z.string(), key: z.string(), path: z.string(), expiresAt: z.iso.datetime({ offset: true }) };

export const CapacitySchema = z.object({
  capacityBytes: count,
  usedBytes: count,
  reservedBytes: count,
  writeBytesPerSecond: count,
  readBytesPerSecond: count,
  floorsBytesPerSecond: count,
}) satisfies z.ZodType<HotTierCapacity>;

export const LocalitySchema = z.object({
  path: z.string(),
  files: count,
  bytes: count,
  hotFiles: count,
  hotBytes: count,
  remoteFiles: count,
  remoteBytes: count,
}) satisfies z.ZodType<Locality>;

export const ExportSchema = z.object({
  ...held,
  exportId: z.string().min(1),
  access: z.enum(['read-only', 'read-write']),
  clients: z.array(z.string()),
  qos: z.object({ floorBytesPerSecond: count, ceilingBytesPerSecond: count }),
  nfs: z.object({ address: z.string(), port: z.int().min(1).max(65_535), path: z.string() }).exactOptional(),
  s3: z.object({ endpoint: z.string(), bucket: z.string(), prefix: z.string() }),
}) satisfies z.ZodType<Export>;

export const SnapshotSchema = z.object({
  ...held,
  snapshotId: z.string().min(1),
  createdAt: z.iso.datetime({ offset: true }),
  files: count,
  bytes: count,
  contentPath: z.string().startsWith('/'),
}) satisfies z.ZodType<Snapshot>;

export const PrefetchJobSchema = z.object({
  owner: z.string(),
  key: z.string(),
  path: z.string(),
  bytesPerSecond: count,
  jobId: z.string().min(1),
  state: z.enum(['running', 'completed', 'failed']),
  files: count,
  bytes: count,
  doneFiles: count,
  doneBytes: count,
  error: z.string().exactOptional(),
}) satisfies z.ZodType<PrefetchJob>;

export const ReservationSchema = z.object({ ...held, reservationId: z.string().min(1), bytes: count }) satisfies z.ZodType<Reservation>;
export const ReservationsSchema = z.object({ reservations: z.array(ReservationSchema) });

export const HoldingsSchema = z.object({
  exports: z.array(ExportSchema),
  snapshots: z.array(SnapshotSchema),
  reservations: z.array(ReservationSchema),
}) satisfies z.ZodType<Holdings>;

export const AuditPageSchema = z.object({
  entries: z.array(
    z.object({
      sequence: count,
      at: z.iso.datetime({ offset: true }),
      actor: z.string(),
      operation: z.string(),
      path: z.string(),
      outcome: z.enum(['allowed', 'refused']),
    }) satisfies z.ZodType<AuditEntry>,
  ),
});

/** A refusal; what a proxy in between says in its own words does not match, and is told by its status alone. */
export const RefusalSchema = z.object({
  code: z.string(),
  message: z.string(),
  issues: z.array(z.object({ path: z.string(), found: z.string(), expected: z.string() })).optional(),
});

export const EvictionSchema = z.object({ path: z.string(), files: z.int(), bytes: z.int() });
