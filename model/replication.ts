/** Copies of the erasure set's objects in the erasure set of another site: what the workflow `replicate` is asked for and what it answers. */
import * as z from 'zod';
import { type CheckpointKey, checkpointPrefix } from './checkpoint.ts';
import { IdentifierSchema } from './identifiers.ts';
import { JurisdictionSchema } from './site-parts.ts';

const identifier = '(?!.*\\.\\.)[A-Za-z0-9][A-Za-z0-9._-]{0,62}';
/** An identifier, or some joined by slashes, as a checkpoint's copy is named. */
const ReplicationIdSchema = z.string().regex(new RegExp(`^${identifier}(?:/${identifier}){0,3}$`), '1 to 4 identifiers with a slash between two');

export const ReplicateRequestSchema = z.strictObject({
  replicationId: ReplicationIdSchema.describe('Names the copying'),
  to: IdentifierSchema.describe('Where to: the name of a set under erasureSet.replicas of the site file'),
  prefix: z.string().max(900).default('').describe('Of the keys of the objects that are copied; empty for all'),
  within: z.array(JurisdictionSchema).min(1).optional().describe('Countries in which these objects may lie, where they are fewer than the site allows'),
  verify: z
    .enum(['copied', 'all', 'mend'])
    .default('copied')
    .describe(
      'copied reads back what this copying wrote; all also what lay there already, which otherwise is known by its manifest and the lengths of its shards; mend does the same, and makes whole what is lost or rotten there',
    ),
});
export type ReplicateInput = z.input<typeof ReplicateRequestSchema>;
export type ReplicateRequest = z.output<typeof ReplicateRequestSchema>;

export const replicateWorkflowId = ({ to, replicationId }: Pick<ReplicateRequest, 'to' | 'replicationId'>): string => `replicate/${to}/${replicationId}`;

/** Undefined where it is the id of something else. */
export function parseReplicateWorkflowId(workflowId: string): Pick<ReplicateRequest, 'to' | 'replicationId'> | undefined {
  const [, to, replicationId] = /^replicate\/([^/]+)\/(.+)$/.exec(workflowId) ?? [];
  return to === undefined || replicationId === undefined ? undefined : { to, replicationId };
}

/** A drained checkpoint's copy: named by what it is, so that asking twice attaches. */
export const checkpointCopy = (key: CheckpointKey, to: string): ReplicateInput & { readonly prefix: string } => ({
  replicationId: `${key.tenant}/${key.project}/${key.allocationId}/${key.checkpointId}`,
  to,
  prefix: checkpointPrefix(key),
});

const CountSchema = z.int().nonnegative();
const NotCopiedSchema = z.strictObject({
  key: z.string(),
  /** Such as `Conflict`, where the copy has other content. */
  type: z.string(),
  message: z.string(),
});
export const ReplicationCountsSchema = z.strictObject({
  /** Written and read back. */
  copied: CountSchema,
  /** Were there with equal content. */
  existed: CountSchema,
  /** Of these, so many had shards rebuilt there. Absent in histories of workers before 0.3. */
  mended: CountSchema.exactOptional(),
  /** Of content, copied and existed. */
  bytes: CountSchema,
  /** The lowest number of racks that a copy may still lose; undefined before the first. */
  leastMargin: z.int().exactOptional(),
  notCopiedCount: CountSchema,
  /** The first 20. */
  notCopied: z.array(NotCopiedSchema).readonly(),
});
export type ReplicationCounts = Readonly<z.output<typeof ReplicationCountsSchema>>;

export const NOT_COPIED_SHOWN = 20;
export const noReplication: ReplicationCounts = { copied: 0, existed: 0, bytes: 0, notCopiedCount: 0, notCopied: [] };

export function addReplications(one: ReplicationCounts, other: ReplicationCounts): ReplicationCounts {
  const margins = [one.leastMargin, other.leastMargin].filter((margin) => margin !== undefined);
  return {
    copied: one.copied + other.copied,
    existed: one.existed + other.existed,
    ...(one.mended || other.mended ? { mended: (one.mended ?? 0) + (other.mended ?? 0) } : {}),
    bytes: one.bytes + other.bytes,
    notCopiedCount: one.notCopiedCount + other.notCopiedCount,
    notCopied: [...one.notCopied, ...other.notCopied].slice(0, NOT_COPIED_SHOWN),
    ...(margins.length > 0 ? { leastMargin: Math.min(...margins) } : {}),
  };
}
