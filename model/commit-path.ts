/**
 * The site file's `checkpoints`: which of them stay (checkpoint-retention.ts), and where one is written while the job waits, the node's ring and a target in
 * its own rack. An array outside of the rack is never on this path: it would add its latency to every commit, and its failure to every rack's.
 */
import * as z from 'zod';
import { checkpointRetentionFields } from './checkpoint-retention.ts';
import { IdentifierSchema } from './identifiers.ts';
import { BytesSchema, SomeBandwidthSchema } from './quantity.ts';

/** What a ring's blocks and superblocks are multiples of. */
const BLOCK_BYTES = 4096;
const LEAST_RING_BYTES = 32 * 2 ** 20;

export const RingSchema = z.strictObject({
  path: z.string().describe('A file on a file system of its own NVMe, made at the first write, or a block device; relative paths are below the site directory'),
  size: BytesSchema.refine((bytes) => bytes >= LEAST_RING_BYTES, '"32MiB" or more')
    .transform((bytes) => bytes - (bytes % BLOCK_BYTES))
    .describe('Of the ring: two checkpoints of the node and more, for a checkpoint stays until it is drained'),
});

const RackTargetSchema = z.strictObject({
  id: IdentifierSchema.describe('As nodes name it'),
  kind: z
    .enum(['nvme-of', 'array'])
    .describe('nvme-of: a file system on an NVMe-oF device of the rack; array: storage outside of the racks, which no node may name'),
  rackId: IdentifierSchema.optional().describe('The rack it stands in; required of nvme-of'),
  path: z.string().describe('Where nodes and the rack worker see it; relative paths are below the site directory'),
});

export const LEAST_DEPTH = 2;
export const MOST_DEPTH = 16;

export const CommitPathSchema = z.strictObject({
  policy: z
    .enum(['strict', 'degraded'])
    .default('strict')
    .describe('Where the ring fails. strict: the checkpoint fails and the older one stands; degraded: it goes on with rack and global tier, and says so'),
  depth: z
    .int()
    .min(LEAST_DEPTH)
    .max(MOST_DEPTH)
    .default(8)
    .describe('Chunks of 4 MiB under way at each of the two stores; a writer takes memory for two more'),
  stallSeconds: z.number().positive().max(3600).default(60).describe('A store that does not answer a chunk for so long has failed'),
  leastRate: SomeBandwidthSchema.prefault('1GB/s').describe(
    'What a writer sends at where a fabric carries its commits and its broker gives no window within two seconds; on top of what the fabric grants',
  ),
  targets: z
    .array(RackTargetSchema)
    .default([])
    .describe('In-rack stores that nodes name; a node that names none writes to the directory of its rack below rackRoot'),
  ...checkpointRetentionFields,
});

export type CommitPath = z.output<typeof CommitPathSchema>;
export type RingConfig = z.output<typeof RingSchema>;

/** As much of a site as its commit path needs. */
export interface CommitSite {
  readonly checkpoints: CommitPath;
  readonly nodes: readonly { readonly id: string; readonly rackId: string; readonly rackTarget?: string | undefined; readonly ring?: RingConfig | undefined }[];
}

/** Undefined where the node writes to the directory of its rack. */
export function rackTargetPath({ checkpoints, nodes }: CommitSite, nodeId: string): string | undefined {
  const named = nodes.find(({ id }) => id === nodeId)?.rackTarget;
  return checkpoints.targets.find(({ id }) => id === named)?.path;
}

/** What the parts of the site file say of each other; for the schema. */
export function refineCommitPath({ checkpoints: { targets }, nodes }: CommitSite, context: z.core.$RefinementCtx): void {
  const refuse = (path: (string | number)[], message: string, input: unknown) => context.addIssue({ code: 'custom', path, message, input });
  for (const [index, { id, kind, rackId }] of targets.entries()) {
    if (targets.findIndex((other) => other.id === id) < index) refuse(['checkpoints', 'targets', index, 'id'], 'one that no other target has', id);
    if (kind === 'nvme-of' && rackId === undefined) refuse(['checkpoints', 'targets', index, 'rackId'], 'the rack that this nvme-of target stands in', rackId);
  }
  const rings = new Map<string, string>();
  for (const [index, node] of nodes.entries()) {
    if (node.ring) {
      const other = rings.get(node.ring.path);
      if (other !== undefined) refuse(['nodes', index, 'ring', 'path'], `a ring of its own; this one is that of ${other}`, node.ring.path);
      rings.set(node.ring.path, node.id);
    }
    if (node.rackTarget === undefined) continue;
    const accepted = targets.filter(({ kind, rackId }) => kind === 'nvme-of' && rackId === node.rackId).map(({ id }) => id);
    if (accepted.includes(node.rackTarget)) continue;
    refuse(
      ['nodes', index, 'rackTarget'],
      `${expectedTarget(targets.find(({ id }) => id === node.rackTarget))} ${listed(accepted, node.rackId)}`,
      node.rackTarget,
    );
  }
}

function expectedTarget(found: CommitPath['targets'][number] | undefined): string {
  if (found?.kind === 'array') return 'no off-rack array, which is not written to before a checkpoint is acknowledged (put it behind the global tier), but';
  return found ? `no target of rack ${found.rackId}, but` : '';
}

const listed = (accepted: readonly string[], rackId: string): string =>
  `an nvme-of target in the node's own rack ${rackId} (${accepted.join(', ') || 'checkpoints.targets has none; leave it out to use rackRoot'})`;
