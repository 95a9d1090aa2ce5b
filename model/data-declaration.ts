/**
 * What a job says about its data, as the data-plane specification writes it (hence its snake_case keys), and what that
 * means once the templates are filled in. Pure: the site's rules come in as an argument.
 */
import * as z from 'zod';
import { type AllocationKey, allocationPrefix } from './identifiers.ts';
import type { InputIssue } from './issues.ts';
import { BandwidthSchema, BytesSchema } from './quantity.ts';

const templateNames = ['user', 'tenant', 'project', 'allocation_id'] as const;
const targetPattern = /^\/(?!.*\/\/)(?!.*(^|\/)\.{1,2}(\/|$))[^\p{Cc}]{1,1023}$/u;

export const MountSchema = z.strictObject({
  source: z
    .string()
    .max(1024)
    .regex(/^(s3|nfs):\/\/[^/]+/, '"s3://bucket/prefix" or "nfs://root/path"')
    .describe('Where the data is: s3://bucket/prefix or nfs://root/path; {user}, {tenant}, {project} and {allocation_id} are filled in'),
  target: z.string().regex(targetPattern, 'an absolute path without "//", "." or ".." steps or control characters').describe('Where the job sees it'),
  tier_hint: z.enum(['hot', 'warm']).default('hot').describe('hot: staged to the hot tier before the start; warm: read in place over S3'),
  access: z.enum(['read-only', 'read-write']).default('read-only').describe('read-write only for nfs:// sources; results belong under output'),
  bandwidth_floor: BandwidthSchema.optional().describe('Guaranteed bandwidth, such as "1GB/s"'),
  bandwidth_ceiling: BandwidthSchema.optional().describe('Bandwidth limit, such as "4GB/s"'),
});

export const DataDeclarationSchema = z.strictObject({
  mounts: z.array(MountSchema).max(32).default([]).describe('What the job reads; its home directory is added where it names none'),
  output: z.string().max(1024).default('s3://{tenant}/{project}/{allocation_id}/').describe("Where results go; below the allocation's own prefix"),
  scratch_per_node: BytesSchema.optional().describe('Node-local scratch, such as "500GB"'),
});

export type DataDeclaration = z.output<typeof DataDeclarationSchema>;

export interface ResolvedMount {
  readonly source: string;
  readonly scheme: 's3' | 'nfs';
  /** The S3 bucket, or the first step of an NFS path. */
  readonly bucket: string;
  /** Path below the bucket, without leading or trailing slash; empty for the whole bucket. */
  readonly prefix: string;
  readonly target: string;
  readonly tierHint: 'hot' | 'warm';
  readonly access: 'read-only' | 'read-write';
  readonly floorBytesPerSecond: number;
  /** 0 means without limit. */
  readonly ceilingBytesPerSecond: number;
}

export interface ResolvedData {
  readonly mounts: readonly ResolvedMount[];
  /** Key prefix in the tenant's bucket, ending with `/`. */
  readonly outputPrefix: string;
  /** Key prefix in the tenant's bucket, ending with `/`; undefined where the job takes no checkpoints. */
  readonly checkpointPrefix: string | undefined;
  readonly scratchBytesPerNode: number;
}

/** What a site lets a tenant mount; part of the site file's policies. */
export interface MountRules {
  /** Buckets that every tenant may read. */
  readonly sharedBuckets: readonly string[];
}

export interface Declarant extends AllocationKey {
  readonly user: string;
  readonly checkpoint: 'enabled' | 'none';
}

type Resolved = { readonly ok: true; readonly value: ResolvedData } | { readonly ok: false; readonly issues: readonly InputIssue[] };

/** Fills templates, adds the home directory every allocation gets, and holds each source to what the tenant may name. */
export function resolveDataDeclaration(declarant: Declarant, data: DataDeclaration, rules: MountRules): Resolved {
  const issues: InputIssue[] = [];
  const mounts = data.mounts.flatMap((mount, index) => {
    const path = `data.mounts[${index}]`;
    const source = fillTemplate(mount.source, declarant, `${path}.source`, issues);
    const target = fillTemplate(mount.target, declarant, `${path}.target`, issues);
    const location = parseLocation(source);
    if (!location) {
      issues.push({
        path: `${path}.source`,
        found: JSON.stringify(source),
        expected: 's3://bucket/prefix or nfs://root/path without empty, "." or ".." steps',
      });
      return [];
    }
    const resolved: ResolvedMount = {
      source,
      ...location,
      target,
      tierHint: mount.tier_hint,
      access: mount.access,
      floorBytesPerSecond: mount.bandwidth_floor ?? 0,
      ceilingBytesPerSecond: mount.bandwidth_ceiling ?? 0,
    };
    issues.push(...refusals(resolved, path, declarant, rules));
    return [resolved];
  });
  const home = `/home/${declarant.user}`;
  if (!mounts.some((mount) => mount.target === home)) mounts.push(homeMount(declarant.user, home));
  issues.push(...overlaps(mounts));

  const prefix = allocationPrefix(declarant);
  const output = fillTemplate(data.output, declarant, 'data.output', issues);
  const own = `s3://${declarant.tenant}/${prefix}`;
  const outputPath = parseLocation(output.replace(/\/+$/, ''));
  if (!outputPath || !`${output.replace(/\/+$/, '')}/`.startsWith(own)) {
    issues.push({ path: 'data.output', found: JSON.stringify(output), expected: `${own} or a prefix below it` });
  }
  if (issues.length > 0 || !outputPath) return { ok: false, issues };
  return {
    ok: true,
    value: {
      mounts,
      outputPrefix: `${outputPath.prefix}/`,
      checkpointPrefix: declarant.checkpoint === 'none' ? undefined : `${prefix}checkpoints/`,
      scratchBytesPerNode: data.scratch_per_node ?? 0,
    },
  };
}

function homeMount(user: string, target: string): ResolvedMount {
  return {
    source: `nfs://home/${user}`,
    scheme: 'nfs',
    bucket: 'home',
    prefix: user,
    target,
    tierHint: 'hot',
    access: 'read-write',
    floorBytesPerSecond: 0,
    ceilingBytesPerSecond: 0,
  };
}

function fillTemplate(text: string, declarant: Declarant, path: string, issues: InputIssue[]): string {
  const values = {
    user: declarant.user,
    tenant: declarant.tenant,
    project: declarant.project,
    allocation_id: declarant.allocationId,
  };
  const filled = text.replaceAll(/\{([^{}]*)\}/g, (whole, name: string) => {
    const known = templateNames.find((candidate) => candidate === name);
    if (known) return values[known];
    issues.push({ path, found: JSON.stringify(whole), expected: templateNames.map((each) => `{${each}}`).join(', ') });
    return 'unknown-template';
  });
  if (/[{}]/.test(filled)) issues.push({ path, found: JSON.stringify(text), expected: 'balanced template braces' });
  return filled;
}

function parseLocation(uri: string): Pick<ResolvedMount, 'scheme' | 'bucket' | 'prefix'> | undefined {
  const match = /^(s3|nfs):\/\/([^/]+)(?:\/(.*?))?\/?$/.exec(uri);
  if (!match) return undefined;
  const [, scheme, bucket = '', prefix = ''] = match;
  if (!/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(bucket) || bucket.includes('..')) return undefined;
  if (/\p{Cc}/u.test(prefix) || (prefix !== '' && prefix.split('/').some((step) => step === '' || step === '.' || step === '..'))) return undefined;
  return { scheme: scheme === 'nfs' ? 'nfs' : 's3', bucket, prefix };
}

function refusals(mount: ResolvedMount, path: string, declarant: Declarant, rules: MountRules): InputIssue[] {
  const issues: InputIssue[] = [];
  const refuse = (field: string, found: string, expected: string) => issues.push({ path: `${path}.${field}`, found: JSON.stringify(found), expected });
  if (mount.scheme === 'nfs') {
    const own = declarant.user;
    if (mount.bucket !== 'home' || (mount.prefix !== own && !mount.prefix.startsWith(`${own}/`))) {
      refuse('source', mount.source, `nfs://home/${own} or a path below it`);
    }
    if (mount.tierHint !== 'hot') refuse('tier_hint', mount.tierHint, '"hot": NFS is served from the hot tier');
  } else {
    const ownPrefix = mount.bucket === declarant.tenant;
    if (!ownPrefix && !rules.sharedBuckets.includes(mount.bucket)) {
      refuse('source', mount.source, `a bucket of the tenant or a shared one: ${[declarant.tenant, ...rules.sharedBuckets].join(', ')}`);
    }
    if (mount.access === 'read-write') refuse('access', mount.access, '"read-only" for s3:// sources; results belong under data.output');
  }
  if (mount.ceilingBytesPerSecond > 0 && mount.floorBytesPerSecond > mount.ceilingBytesPerSecond) {
    refuse('bandwidth_floor', String(mount.floorBytesPerSecond), `at most the bandwidth_ceiling, ${mount.ceilingBytesPerSecond} bytes per second`);
  }
  return issues;
}

/** Two mounts at one target, or one below another, would hide each other. */
function overlaps(mounts: readonly ResolvedMount[]): InputIssue[] {
  return mounts.flatMap((mount, index) => {
    const other = mounts.slice(0, index).find((earlier) => isBelow(mount.target, earlier.target) || isBelow(earlier.target, mount.target));
    if (!other) return [];
    return [
      { path: `data.mounts[${index}].target`, found: JSON.stringify(mount.target), expected: `a target apart from ${other.target}, which another mount uses` },
    ];
  });
}

function isBelow(path: string, parent: string): boolean {
  const base = parent.replace(/\/+$/, '');
  return path.replace(/\/+$/, '') === base || path.startsWith(`${base}/`);
}
