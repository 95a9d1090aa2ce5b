/** What callers may send. Everything is bounded; unknown fields are refused. */
import * as z from 'zod';
import { ApiError } from './api-error.ts';
import { canonicalPath } from './paths.ts';

/** Nothing is held longer than this without somebody asking again: a year's walltime and a month's grace. */
const MAX_HOLD_MILLISECONDS = 400 * 86_400_000;
export const MAX_AUDIT_PAGE = 1000;

/** A path is text here and canonical only through {@link acceptPath}: its refusal is a 403 of its own, not a validation error. */
const PathSchema = z.string().min(1);
const NameSchema = z.string().regex(/^[^\p{Cc}\u2028\u2029]{1,256}$/u, '1 to 256 characters, none of them a control character');
/** Callers make keys of their owner's name and what they take, a list of nodes for example. */
const KeySchema = z.string().regex(/^[^\p{Cc}\u2028\u2029]{1,4096}$/u, '1 to 4096 characters, none of them a control character');
const InstantSchema = z.iso.datetime({ offset: true, message: 'an instant such as "2026-11-21T08:00:00Z"' }).transform((text) => new Date(text).toISOString());
const RateSchema = z.int().nonnegative();

const QosFields = { floorBytesPerSecond: RateSchema, ceilingBytesPerSecond: RateSchema.describe('0: without limit') };
const floorWithinCeiling = (qos: { floorBytesPerSecond: number; ceilingBytesPerSecond: number }): boolean =>
  qos.ceilingBytesPerSecond === 0 || qos.floorBytesPerSecond <= qos.ceilingBytesPerSecond;
export const QosSchema = z
  .strictObject(QosFields)
  .refine(floorWithinCeiling, { path: ['floorBytesPerSecond'], error: 'a floor not above the ceiling, or a ceiling of 0' });

const held = { owner: NameSchema, key: KeySchema, path: PathSchema, expiresAt: InstantSchema };

export const ExportRequestSchema = z.strictObject({
  ...held,
  access: z.enum(['read-only', 'read-write']),
  clients: z
    .array(z.string().regex(/^[A-Za-z0-9.:_-]{1,253}$/, 'a node id, host name or address'))
    .min(1)
    .max(1024),
  qos: QosSchema,
});
export const SnapshotRequestSchema = z.strictObject(held);
export const ReservationRequestSchema = z.strictObject({ ...held, bytes: z.int().nonnegative() });
export const RenewalSchema = z.strictObject({ owner: NameSchema, expiresAt: InstantSchema });
export const PrefetchRequestSchema = z.strictObject({
  owner: NameSchema,
  key: KeySchema,
  path: PathSchema,
  bytesPerSecond: z.int().positive(),
});

export const EvictionSchema = z.strictObject({ path: PathSchema, files: z.int().nonnegative(), bytes: z.int().nonnegative() });
export const PathQuerySchema = z.strictObject({ path: PathSchema });
export const OwnerQuerySchema = z.strictObject({ owner: NameSchema });
export const OptionalOwnerQuerySchema = z.strictObject({ owner: NameSchema.optional() });
export const HoldingKindSchema = z.enum(['exports', 'snapshots', 'reservations']);
export const ReleaseQuerySchema = z.strictObject({
  owner: NameSchema,
  kinds: z
    .string()
    .transform((text) => text.split(','))
    .pipe(z.array(HoldingKindSchema).min(1))
    .describe('Comma-separated'),
});
export const AuditQuerySchema = z.strictObject({
  path: PathSchema,
  after: z.coerce.number().pipe(z.int().nonnegative()).default(0),
  limit: z.coerce.number().pipe(z.int().min(1).max(MAX_AUDIT_PAGE)).default(MAX_AUDIT_PAGE),
  include: z.literal('queries').optional(),
});

export type EvictionInput = z.output<typeof EvictionSchema>;
export type ExportInput = z.output<typeof ExportRequestSchema>;
export type SnapshotInput = z.output<typeof SnapshotRequestSchema>;
export type ReservationInput = z.output<typeof ReservationRequestSchema>;
export type PrefetchInput = z.output<typeof PrefetchRequestSchema>;
export type Qos = z.output<typeof QosSchema>;
export type HoldingKind = z.output<typeof HoldingKindSchema>;

/** The canonical path. `data`: the tier itself is not meant, only something in it. */
export function acceptPath(raw: string, purpose: 'data' | 'query'): string {
  const canonical = canonicalPath(raw);
  if (!canonical.ok) throw new ApiError('path_refused', `${canonical.reason}; name it as the tier's clients see it, such as "/training-data/imagenet"`);
  if (purpose === 'data' && canonical.path === '/') throw new ApiError('path_refused', '"/" is the whole tier; name a path in it');
  return canonical.path;
}

export function acceptExpiry(expiresAt: string, now: number): void {
  const left = Date.parse(expiresAt) - now;
  if (left > 0 && left <= MAX_HOLD_MILLISECONDS) return;
  throw new ApiError('invalid_input', 'expiresAt is not in the future, or more than 400 days ahead', [
    { path: 'expiresAt', found: JSON.stringify(expiresAt), expected: `an instant after ${new Date(now).toISOString()}, within 400 days` },
  ]);
}
