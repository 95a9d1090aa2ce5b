/**
 * The site file: which Temporal, which stores, which racks and nodes, which policies. `temporal-dev.yaml` is one, a
 * production site is another of the same schema. `embedded` in place of an address means that dev/ starts the part.
 */
import * as z from 'zod';
import { IdentifierSchema } from './identifiers.ts';
import { BandwidthSchema, BytesSchema } from './quantity.ts';

const EMBEDDED = z.literal('embedded');
const UrlSchema = z.url({ protocol: /^https?$/, message: '"embedded" or a URL such as "https://s3.example:9000"' });
const PortSchema = z.union([z.literal('auto'), z.int().min(1).max(65_535)], '"auto" for a free port, or 1 to 65535');
const SecretSchema = z
  .string()
  .regex(/^(env|file):.+/, 'a reference, "env:NAME" or "file:PATH"; secrets never stand in the site file')
  .describe('A reference to a secret, never the secret');

const CredentialsSchema = z.strictObject({ accessKeyId: SecretSchema, secretAccessKey: SecretSchema });
const BandwidthLimitsSchema = z.strictObject({ read: BandwidthSchema, write: BandwidthSchema });
const storeBase = {
  jurisdiction: z.string().regex(/^[a-z]{2}$/, 'a two-letter country code such as "ch"'),
  capacity: BytesSchema,
  bandwidth: BandwidthLimitsSchema,
};
const s3Access = {
  endpoint: z.union([EMBEDDED, UrlSchema]),
  port: PortSchema.default('auto').describe('Where the embedded endpoint listens'),
  region: z.string().default('us-east-1'),
  credentials: CredentialsSchema.optional().describe('Absent for embedded endpoints, whose keys are generated'),
};

export const HotStoreSchema = z.strictObject({
  driver: z.literal('vast-contract'),
  tier: z.literal('hot'),
  layer: z.literal('global'),
  ...storeBase,
  management: z.strictObject({
    endpoint: z.union([EMBEDDED, UrlSchema]),
    port: PortSchema.default('auto'),
    token: SecretSchema.optional(),
  }),
  s3: z.strictObject(s3Access),
  nfs: z.strictObject({ enabled: z.boolean().default(true), address: z.string().optional(), port: PortSchema.default('auto') }).optional(),
  root: z.string().describe('The directory tree as movers see it; relative paths are below the site directory'),
});

export const S3StoreSchema = z.strictObject({
  driver: z.literal('s3'),
  tier: z.enum(['warm', 'cold', 'global']),
  layer: z.literal('global'),
  ...storeBase,
  ...s3Access,
});

export const RackSchema = z.strictObject({
  id: IdentifierSchema,
  room: IdentifierSchema,
  bucket: z.string().describe("The rack's bucket in the erasure set's store"),
});

export const NodeSchema = z.strictObject({
  id: IdentifierSchema,
  rackId: IdentifierSchema,
  features: z.array(z.string()).default([]),
  localRoot: z.string().describe("The node's own storage: scratch, local checkpoint copies, log spool"),
});

const HoursSchema = z.number().positive();

export const PoliciesSchema = z.strictObject({
  sharedBuckets: z.array(z.string()).default([]),
  stagingShare: z.number().gt(0).max(1).default(0.3).describe("Part of the hot tier's write bandwidth that staging may use"),
  readyThreshold: z.number().gt(0).max(1).default(0.8).describe('Readiness at which a job may start'),
  leaseGraceSeconds: z.int().positive().default(3600).describe('How long pins and exports outlive their expected end'),
  snapshotHours: HoursSchema.default(168),
  logRetentionDays: z.number().positive().default(30),
  archiveRetentionDays: z.number().positive().default(2557).describe('Retention of archived output where the request names none'),
  heartbeatSeconds: z.int().min(2).default(30).describe('A worker silent for so long is taken for dead and its activity runs elsewhere'),
  eventsPerRun: z.int().min(50).max(20_000).default(5000).describe('History events after which a long allocation continues as new'),
  attestDays: z.number().positive().default(90).describe('How often archived output is attested to be still locked'),
  deadlines: z
    .strictObject({
      queuedHours: HoursSchema.default(168),
      stagingHours: HoursSchema.default(48),
      readyHours: HoursSchema.default(168).describe('After the expected start'),
      startingMinutes: z.number().positive().default(10),
      drainingMinutes: z.number().positive().default(15).describe('Until the nodes are handed back, come what may'),
      archivingHours: HoursSchema.default(72),
      checkpointDrainHours: HoursSchema.default(24),
    })
    .prefault({}),
});

export const SiteSchema = z.strictObject({
  version: z.literal(1),
  name: IdentifierSchema,
  jurisdiction: storeBase.jurisdiction,
  temporal: z.strictObject({
    address: z.union([EMBEDDED, z.string().regex(/^[^\s:]+:\d+$/, '"embedded" or "host:port"')]),
    port: PortSchema.default('auto'),
    namespace: IdentifierSchema.default('default'),
    uiPort: PortSchema.default('auto'),
    databaseFile: z.string().default('temporal.db'),
    searchAttributes: z.record(z.string(), z.enum(['Keyword', 'KeywordList', 'Text', 'Int', 'Double', 'Bool', 'Datetime'])),
  }),
  stores: z.strictObject({ hot: HotStoreSchema, warm: S3StoreSchema, cold: S3StoreSchema, racks: S3StoreSchema }),
  erasureSet: z.strictObject({
    dataShards: z.literal(14),
    parityShards: z.literal(4),
    racks: z.array(RackSchema).min(18),
  }),
  rackRoot: z.string().describe('Where movers see the in-rack checkpoint storage, one directory per rack'),
  nodes: z.array(NodeSchema).min(1),
  policies: PoliciesSchema.prefault({}),
});

export type Site = z.output<typeof SiteSchema>;
export type HotStoreConfig = z.output<typeof HotStoreSchema>;
export type S3StoreConfig = z.output<typeof S3StoreSchema>;
export type RackConfig = z.output<typeof RackSchema>;
export type NodeConfig = z.output<typeof NodeSchema>;
export type Policies = z.output<typeof PoliciesSchema>;
