/**
 * The site file: which Temporal, which stores, which racks and nodes, which policies. `temporal-dev.yaml` is one, a
 * production site is another of the same schema. `embedded` in place of an address means that dev/ starts the part.
 */
import * as z from 'zod';
import { ArchiveSchema } from './archive.ts';
import { AuditSettingsSchema } from './audit-settings.ts';
import { CommitPathSchema, RingSchema, refineCommitPath } from './commit-path.ts';
import { DemotionSchema } from './demotion-rules.ts';
import { ErasureSetSchema, refineErasureSet } from './erasure-set.ts';
import { refineFabrics, SiteFabricSchema } from './fabric.ts';
import { HoursOfDaySchema } from './hours.ts';
import { IdentifierSchema } from './identifiers.ts';
import { StoreNameSchema } from './location.ts';
import { LogSettingsSchema } from './log-settings.ts';
import { BandwidthSchema, BytesSchema } from './quantity.ts';
import { RetentionPolicySchema } from './retention-policy.ts';
import { CredentialsSchema, foreignS3, JurisdictionSchema, RegionSchema, SecretSchema, UrlSchema } from './site-parts.ts';
import { LARGE_BYTES } from './transfer-plan.ts';

const EMBEDDED = z.literal('embedded');
const PortSchema = z.union([z.literal('auto'), z.int().min(1).max(65_535)], '"auto" for a free port, or 1 to 65535');

const BandwidthLimitsSchema = z.strictObject({
  read: BandwidthSchema.describe('What the store can deliver'),
  write: BandwidthSchema.describe('What the store can take in'),
});
const storeBase = {
  jurisdiction: JurisdictionSchema,
  capacity: BytesSchema.describe('How much it holds, such as "20GB"'),
  bandwidth: BandwidthLimitsSchema.describe('Limits that floors and staging are measured against'),
};
const s3Access = {
  endpoint: z.union([EMBEDDED, UrlSchema]).describe('Where S3 is spoken'),
  port: PortSchema.default('auto').describe('Where the embedded endpoint listens'),
  region: RegionSchema,
  credentials: CredentialsSchema.optional().describe('Absent for embedded endpoints, whose keys are generated'),
};

export const HotStoreSchema = z.strictObject({
  driver: z.literal('vast-contract').describe("The data-plane specification's storage API"),
  tier: z.literal('hot').describe('Where jobs read and write while they run'),
  layer: z.literal('global').describe('Reached from every rack'),
  ...storeBase,
  management: z
    .strictObject({
      endpoint: z.union([EMBEDDED, UrlSchema]).describe('Where the management API answers'),
      port: PortSchema.default('auto').describe('Where the embedded one listens'),
      token: SecretSchema.optional().describe('A reference to its bearer token; absent for the embedded one, whose token is generated'),
    })
    .describe('Exports, QoS, catalog, snapshots and audit'),
  s3: z.strictObject(s3Access).describe('The same tree over S3'),
  nfs: z
    .strictObject({
      enabled: z.boolean().default(true).describe('false: jobs read over S3 only'),
      address: z.string().optional().describe("The server's name or address; absent where the embedded one serves"),
      port: PortSchema.default('auto').describe('Where the server listens'),
    })
    .optional()
    .describe('The same tree over NFSv4'),
  root: z.string().describe('The directory tree as movers see it; relative paths are below the site directory'),
});

export const S3StoreSchema = z.strictObject({
  driver: z.literal('s3').describe('Any product that speaks S3'),
  tier: z.enum(['warm', 'cold', 'global']).describe('warm: published output and logs; cold: archived output under Object Lock; global: the erasure set'),
  layer: z.literal('global').describe('Reached from every rack'),
  ...storeBase,
  ...s3Access,
});

const ColdStoreSchema = S3StoreSchema.extend({
  archive: ArchiveSchema.optional().describe(
    'Output is archived in a class that needs a restore before it is read, small files in packs; absent, it is kept as it is',
  ),
});

const DATA_STORES: readonly string[] = ['hot', 'warm', 'cold'];
const OWN_STORES: readonly string[] = [...DATA_STORES, 'racks'];

/** Stores that are not tiers: where ad hoc transfers come from or go to, and nothing else. */
export const ExternalStoreSchema = z.discriminatedUnion('driver', [
  z.strictObject(foreignS3),
  z.strictObject({
    driver: z.literal('posix').describe('A directory tree that every data worker sees at the same path'),
    root: z.string().describe('Its root; the first directory below it is the bucket of a location. Relative paths are below the site directory'),
  }),
]);

export const NodeSchema = z.strictObject({
  id: IdentifierSchema.describe('As the scheduler names it; its task queue is node-{id}'),
  rackId: IdentifierSchema.describe('The rack it stands in; its task queue is rack-{id}'),
  features: z.array(z.string()).default([]).describe('Such as "nvme_scratch"'),
  localRoot: z.string().describe("The node's own storage: scratch, local checkpoint copies, log spool"),
  ring: RingSchema.optional().describe('Where `penstock checkpoint write` keeps the first copy of checkpoints; absent, the node cannot use it'),
  rackTarget: IdentifierSchema.optional().describe(
    "The second copy's store, of checkpoints.targets; one in the node's own rack. Absent: its rack's directory below rackRoot",
  ),
});

const HoursSchema = z.number().positive();

export const PoliciesSchema = z.strictObject({
  sharedBuckets: z.array(z.string()).default([]).describe('Buckets that every tenant may read'),
  stagingShare: z.number().gt(0).max(1).default(0.3).describe("Part of the hot tier's write bandwidth that staging may use"),
  readyThreshold: z.number().gt(0).max(1).default(0.8).describe('Readiness at which a job may start'),
  leaseGraceSeconds: z.int().positive().default(3600).describe('How long pins and exports outlive their expected end'),
  snapshotHours: HoursSchema.default(168).describe('How long the snapshots taken at a start are kept'),
  archiveRetentionDays: z.number().positive().default(2557).describe('Retention of archived output where the request names none'),
  heartbeatSeconds: z.int().min(2).default(30).describe('A worker silent for so long is taken for dead and its activity runs elsewhere'),
  sweepAfterHours: HoursSchema.default(168).describe(
    'Age at which unfinished uploads and temporary files are swept: longer than any transfer may be stopped, for what it had begun is lost then',
  ),
  scrubRate: BandwidthSchema.default(200_000_000).describe('What a scrub of the erasure set may read from its racks, all of them together'),
  scrubHours: HoursOfDaySchema.optional().describe('When a scrub may read, every day; outside of it, it waits at its place. At all hours where absent'),
  repairRate: BandwidthSchema.optional().describe(
    'What a repair of the erasure set may read from its racks, all lanes together, until `penstock erasure repair rate` says otherwise. No limit where absent',
  ),
  eventsPerRun: z
    .int()
    .min(50)
    .max(20_000)
    .default(5000)
    .describe('History events after which a long allocation or transfer continues as new; a transfer at 2,000 at the latest'),
  largeFile: BytesSchema.default(LARGE_BYTES).describe('From this size on a file is moved by several workers at once'),
  attestDays: z.number().positive().default(90).describe('How often archived output is attested to be still locked'),
  retention: RetentionPolicySchema.prefault({}).describe('How archived output is locked, watched over, and let go'),
  deadlines: z
    .strictObject({
      queuedHours: HoursSchema.default(168).describe('Until staging begins'),
      stagingHours: HoursSchema.default(48).describe('Until all data is hot'),
      readyHours: HoursSchema.default(168).describe('After the expected start'),
      startingMinutes: z.number().positive().default(10).describe('Until exports, floors, snapshots and scratch are there'),
      drainingMinutes: z.number().positive().default(15).describe('Until the nodes are handed back, come what may'),
      archivingHours: HoursSchema.default(72).describe('Until the output is published and archived'),
      checkpointDrainHours: HoursSchema.default(24).describe('Until drains still under way are left to go on by themselves'),
    })
    .prefault({})
    .describe('How long each phase may take; past it, the allocation goes on to give everything back and says why'),
});

const SiteFieldsSchema = z.strictObject({
  version: z.literal(1).describe('Of this file format'),
  name: IdentifierSchema.describe("The site's name"),
  jurisdiction: storeBase.jurisdiction,
  temporal: z
    .strictObject({
      address: z.union([EMBEDDED, z.string().regex(/^[^\s:]+:\d+$/, '"embedded" or "host:port"')]).describe('host:port of the frontend'),
      port: PortSchema.default('auto').describe('Where the embedded server listens'),
      namespace: IdentifierSchema.default('default').describe('Created where the server is embedded'),
      uiPort: PortSchema.default('auto').describe("Where the embedded server's UI listens"),
      databaseFile: z.string().default('temporal.db').describe('Of the embedded server; relative paths are below the site directory'),
      searchAttributes: z
        .record(z.string(), z.enum(['Keyword', 'KeywordList', 'Text', 'Int', 'Double', 'Bool', 'Datetime']))
        .describe('Name and type of each; an embedded server gets them, another one must have them'),
    })
    .describe('Where the workflows run'),
  stores: z
    .strictObject({
      hot: HotStoreSchema.describe('The hot tier'),
      warm: S3StoreSchema.describe('The warm tier'),
      cold: ColdStoreSchema.describe('The cold tier; it must have Object Lock'),
      racks: S3StoreSchema.describe('The store that holds a bucket for each rack of the erasure set'),
      external: z
        .record(
          StoreNameSchema.refine((name) => !OWN_STORES.includes(name), `a name other than ${OWN_STORES.join(', ')}`),
          ExternalStoreSchema,
        )
        .default({})
        .describe('Further stores by name, for ad hoc transfers only: data declarations cannot name them'),
    })
    .describe('The storage tiers'),
  erasureSet: ErasureSetSchema.describe('Where drained checkpoints lie'),
  fabrics: z.record(IdentifierSchema, SiteFabricSchema).default({}).describe('Networks whose bandwidth is granted by a broker, by name; none where absent'),
  rackRoot: z.string().describe('Where movers see the in-rack checkpoint storage, one directory per rack'),
  nodes: z.array(NodeSchema).min(1).describe('The compute nodes that jobs run on'),
  checkpoints: CommitPathSchema.prefault({}).describe('How checkpoints are written while the job waits, and which of them are kept'),
  logs: LogSettingsSchema.prefault({}).describe('How the logs of running jobs are followed and cut'),
  audit: AuditSettingsSchema.optional().describe('The audit log of operations on data; where absent, none is kept'),
  demotion: DemotionSchema.prefault({}).describe('What goes to a colder tier by itself, and when'),
  policies: PoliciesSchema.prefault({}).describe('What the site promises and allows'),
});

export const SiteSchema = SiteFieldsSchema.superRefine(refineErasureSet).superRefine(refineFabrics).superRefine(refineCommitPath);

export type Site = z.output<typeof SiteSchema>;

/** Names of the stores that a location may be in. */
export const storeNames = (site: Site): string[] => [...DATA_STORES, ...Object.keys(site.stores.external)];

export type HotStoreConfig = z.output<typeof HotStoreSchema>;
export type S3StoreConfig = z.output<typeof S3StoreSchema>;
export type ExternalStoreConfig = z.output<typeof ExternalStoreSchema>;
export type { RackConfig, ReplicaConfig } from './erasure-set.ts';
export type NodeConfig = z.output<typeof NodeSchema>;
export type Policies = z.output<typeof PoliciesSchema>;
