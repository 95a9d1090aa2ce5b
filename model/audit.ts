/** What the audit log says (docs/formats/audit-log.md): who did what to which data, when, and from which workflow. A line of it is one of these records. */
import * as z from 'zod';

/** The closed list of operations on data. */
export const auditOperations = [
  'admit',
  'survey',
  'copy',
  'publish',
  'delete',
  'wipe',
  'extend',
  'hold',
  'attest',
  'verify',
  'retrieve',
  'make-room',
  'export',
  'revoke',
  'snapshot',
  'prepare',
  'archive-logs',
  'checkpoint-commit',
  'checkpoint-drain',
  'checkpoint-release',
  'checkpoint-abandon',
  'checkpoint-restore',
  'checkpoint-drop',
  'replicate',
  'repair',
  'give-up',
  'spool',
] as const;
export const AuditOperationSchema = z.enum(auditOperations);
export type AuditOperation = z.output<typeof AuditOperationSchema>;

const MAX_NAME = 300;
const MAX_PATH = 4096;
const MAX_REASON = 1000;
export const MAX_PATHS = 32;
const NameSchema = z.string().min(1).max(MAX_NAME);
const InstantSchema = z.iso.datetime();
const DigestSchema = z.string().regex(/^[0-9a-f]{64}$/);
const HashSchema = z.string().regex(/^[A-Za-z0-9+/]{43}=$/);
/** A public key as signed-note writes it: name+id+key. */
const VerifierSchema = z.string().regex(/^[^\s+]+\+[0-9a-f]{8}\+[A-Za-z0-9+/]+=*$/);

/** Each operation has an intent before it begins and an outcome behind it; an intent without one was cut off. */
export const OperationSchema = z.strictObject({
  kind: z.literal('operation'),
  /** Equal for the same stage of the same attempt, and for nothing else. */
  id: z.string().regex(/^[0-9a-f]{32}$/),
  stage: z.enum(['intent', 'outcome']),
  time: InstantSchema,
  operation: AuditOperationSchema,
  /** The process or person that did it. */
  actor: NameSchema,
  /** On whose behalf, where it is known. */
  user: NameSchema.optional(),
  tenant: NameSchema.optional(),
  project: NameSchema.optional(),
  allocationId: NameSchema.optional(),
  nodeId: NameSchema.optional(),
  store: NameSchema.optional(),
  /** Objects, prefixes and directories; beyond {@link MAX_PATHS} the manifest among them says the rest. */
  paths: z.array(z.string().max(MAX_PATH)).max(MAX_PATHS),
  activity: NameSchema.optional(),
  activityId: NameSchema.optional(),
  workflowId: z.string().min(1).max(MAX_REASON).optional(),
  runId: NameSchema.optional(),
  attempt: z.int().positive().optional(),
  outcome: z.enum(['done', 'failed', 'cancelled']).optional(),
  reason: z.string().max(MAX_REASON).optional(),
});
export type Operation = z.output<typeof OperationSchema>;

/** What an operation is about; the rest of its record is added by whoever records it. */
export type OperationFacts = Pick<Operation, 'operation' | 'user' | 'tenant' | 'project' | 'allocationId' | 'nodeId' | 'store' | 'paths' | 'reason'>;

/** The first leaf of a segment: where it belongs, who signs it, and what it was made of. */
export const SegmentHeaderSchema = z.strictObject({
  kind: z.literal('segment'),
  version: z.literal(1),
  origin: NameSchema,
  number: z.int().nonnegative(),
  /** Leaves before it: the number of this one. */
  firstLeaf: z.int().nonnegative(),
  /** Roots of the perfect trees that those leaves form, the largest first. */
  frontier: z.array(HashSchema).max(53),
  sealedAt: InstantSchema,
  signer: VerifierSchema,
  witness: VerifierSchema,
  batches: z.array(z.string().max(100)),
});
export type SegmentHeader = z.output<typeof SegmentHeaderSchema>;

/** From the next segment on, this key signs. */
export const KeyChangeSchema = z.strictObject({ kind: z.literal('key'), role: z.enum(['log', 'witness']), verifier: VerifierSchema, time: InstantSchema });

/** Something lay in the inbox that is no batch; it was put aside. */
export const RefusedBatchSchema = z.strictObject({
  kind: z.literal('refused'),
  batch: z.string().max(1000),
  sha256: DigestSchema,
  reason: z.string().max(MAX_REASON),
  time: InstantSchema,
});

export const LeafSchema = z.discriminatedUnion('kind', [SegmentHeaderSchema, KeyChangeSchema, RefusedBatchSchema, OperationSchema]);
export type Leaf = z.output<typeof LeafSchema>;

const cut = (text: string, length: number): string => text.toWellFormed().slice(0, length).toWellFormed();

/** Cut to what a line may hold, and made well-formed: a long or an odd name must never be a reason why an access is not on record. @throws ZodError for what is no operation */
export function boundedOperation(operation: Operation): Operation {
  const texts = Object.entries(operation).map(([field, value]) => {
    if (typeof value === 'string') return [field, cut(value, field === 'reason' || field === 'workflowId' ? MAX_REASON : MAX_NAME)] as const;
    return [field, value] as const;
  });
  const paths = operation.paths.slice(0, MAX_PATHS).map((path) => cut(path, MAX_PATH));
  return OperationSchema.parse({ ...Object.fromEntries(texts), paths });
}
