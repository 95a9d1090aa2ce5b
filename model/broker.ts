/** The bandwidth broker's messages: who wants to move how much over a fabric, and what may be sent until when. One broker a fabric. */
import * as z from 'zod';
import { CONTROL_QUEUE, TenantSchema } from './identifiers.ts';
import { BytesSchema, SomeBandwidthSchema } from './quantity.ts';

export const bandwidthClasses = ['inference', 'checkpoint', 'drain', 'stage', 'scrub'] as const;
export const BandwidthClassSchema = z.enum(bandwidthClasses);
export type BandwidthClass = z.output<typeof BandwidthClassSchema>;

export const brokerWorkflowId = (fabric: string): string => `broker/${fabric}`;

/** Whoever asks first starts it. */
export const brokerStart = (fabric: string) => ({
  workflowId: brokerWorkflowId(fabric),
  taskQueue: CONTROL_QUEUE,
  args: [fabric] satisfies [string],
  workflowIdConflictPolicy: 'USE_EXISTING' as const,
  staticSummary: `bandwidth of ${fabric}`,
});

/** A requester's own: one process, one attempt. Two that sent under one id would send twice. */
const RequestIdSchema = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._/-]{0,299}$/, '1 to 300 of A-Z, a-z, 0-9, ".", "_", "/" and "-", starting with a letter or digit');
const InstantSchema = z.iso.datetime({ offset: true, error: 'an instant such as "2026-11-22T08:00:00Z"' });
/** The site's own; `racks` is the erasure set. Short, for a thousand reservations carry them. */
export const WatchedStoreSchema = z.enum(['hot', 'warm', 'cold', 'racks']);
const SomeBytesSchema = BytesSchema.refine((bytes) => bytes > 0, 'more than 0 bytes');

export const ReserveSchema = z
  .strictObject({
    requestId: RequestIdSchema.describe('Of one attempt of one process; the same again is the same reservation'),
    bytes: SomeBytesSchema.describe('How much is to be moved'),
    earliest: InstantSchema.optional().describe('No window before this; now where absent'),
    deadline: InstantSchema.optional().describe(
      'By when it should have been moved; it orders the requests of a tenant, and raises the rate that is held for this one',
    ),
    class: BandwidthClassSchema.describe('What it is moved for; the fabric weighs the classes'),
    tenant: TenantSchema.describe('Whose it is; the tenants of a class get equal shares'),
    leastUsefulRate: SomeBandwidthSchema.optional().describe('No window below this; a four-hundredth of the fabric where absent'),
    mostUsefulRate: SomeBandwidthSchema.optional().describe('What the sender can send at all; the rest is given to others'),
    atRiskSeconds: z.number().nonnegative().default(0).describe('Seconds of work that are lost if the source is: more goes first'),
    stores: z
      .array(WatchedStoreSchema)
      .max(2)
      .optional()
      .describe('What it reads and writes (`racks`: the erasure set): while one of them does not answer, it has no window'),
  })
  .refine(({ leastUsefulRate = 0, mostUsefulRate = Infinity }) => leastUsefulRate <= mostUsefulRate, {
    path: ['leastUsefulRate'],
    error: 'at most mostUsefulRate',
  });
export type ReserveInput = z.input<typeof ReserveSchema>;
export type ReserveRequest = z.output<typeof ReserveSchema>;

/** The lease's id and its epoch: only who holds both speaks for it. */
const TokenSchema = z.strictObject({
  requestId: RequestIdSchema.describe('Of the reservation'),
  epoch: z.int().positive().describe('As the answer named it: another one speaks for another lease'),
});
export type LeaseToken = z.output<typeof TokenSchema>;

export const RenewSchema = TokenSchema.extend({
  answer: z.int().nonnegative().describe('The number of the last answer that reached the holder: it says that no older rate is sent at any more'),
  remainingBytes: z.int().nonnegative().optional().describe('What is still to be moved'),
});
export type RenewRequest = z.output<typeof RenewSchema>;

export const ReleaseSchema = TokenSchema;

/** Of a holder whose store failed it. The broker asks the store itself before it believes it. */
export const SuspectSchema = z.strictObject({
  stores: z.array(WatchedStoreSchema).min(1).max(2).describe('What it was reading and writing'),
});

export const waitReasons = [
  'earlier requests',
  'not before its earliest',
  'others still send',
  'the fabric is paused',
  'the broker has just begun',
  'a store does not answer',
] as const;
export const refusalReasons = ['QueueFull', 'TenantQueueFull', 'DeadlineInfeasible', 'LeastRateTooHigh', 'RequestIdUsed'] as const;

const standing = {
  requestId: z.string(),
  epoch: z.int().positive(),
  /** Counts the answers to one reservation; a renewal names the last that arrived. */
  answer: z.int().positive(),
};

/** Durations count from when the holder sent its question, by its own clock: so no two clocks need to agree. */
export const StandingSchema = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('window'),
    ...standing,
    bytesPerSecond: z.int().positive(),
    startAt: z.iso.datetime(),
    /** When all would have been moved at this rate. */
    endAt: z.iso.datetime(),
    /** Nothing may be sent any longer than this without another answer. */
    validMilliseconds: z.int().positive(),
    renewMilliseconds: z.int().positive(),
  }),
  z.strictObject({
    kind: z.literal('queued'),
    ...standing,
    /** 0: it is its turn, and the rates of others are being lowered. */
    position: z.int().nonnegative(),
    reason: z.enum(waitReasons),
    renewMilliseconds: z.int().positive(),
  }),
  z.strictObject({ kind: z.literal('refused'), requestId: z.string(), reason: z.enum(refusalReasons), message: z.string(), nextStep: z.string() }),
  /** No such lease: it was released, its holder fell silent, or the token is an older one. Nothing may be sent. */
  z.strictObject({ kind: z.literal('lost'), requestId: z.string(), message: z.string(), nextStep: z.string() }),
  z.strictObject({ kind: z.literal('released'), requestId: z.string() }),
]);
export type Standing = z.output<typeof StandingSchema>;
export type RefusalReason = (typeof refusalReasons)[number];
